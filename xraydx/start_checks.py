"""What must hold before anything is started; each refusal says what to do."""

import ipaddress
import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from xraydx.embedded_account import ServerError

ROOM_NEEDED_MB = 200


@dataclass(frozen=True)
class WebAddress:
    """Where the web server listens, and with which certificate."""

    host: str
    port: int
    certificate: str = ""
    key: str = ""

    @property
    def secure(self) -> bool:
        return bool(self.certificate)

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}"


def read_address() -> WebAddress:
    """HOST, PORT, XRAYDX_TLS_CERT and XRAYDX_TLS_KEY, checked.

    raises: ServerError
    """
    raw = os.environ.get("PORT") or "8000"
    if not raw.isdigit() or not 1 <= int(raw) <= 65535:
        raise ServerError(f"PORT must be a number between 1 and 65535, not {raw!r}.")
    host = os.environ.get("HOST") or "127.0.0.1"
    certificate = os.environ.get("XRAYDX_TLS_CERT", "")
    key = os.environ.get("XRAYDX_TLS_KEY", "")
    for name, file in (("XRAYDX_TLS_CERT", certificate), ("XRAYDX_TLS_KEY", key)):
        if file and not os.access(file, os.R_OK):
            raise ServerError(f"{name} names {file}, which can't be read.")
    if bool(certificate) != bool(key):
        raise ServerError("Set both XRAYDX_TLS_CERT and XRAYDX_TLS_KEY, or neither.")
    if not certificate and not is_loopback(host):
        raise ServerError(
            f"HOST={host} can be reached from other machines, and patient data must not travel "
            "in clear.\n  Give a certificate: make run HOST=… XRAYDX_TLS_CERT=cert.pem "
            "XRAYDX_TLS_KEY=key.pem,\n  or keep HOST=127.0.0.1 behind a proxy that ends TLS "
            "(docs/operations.md, 'TLS')."
        )
    return WebAddress(host, int(raw), certificate, key)


def read_worker_count() -> int:
    """XRAYDX_WORKERS, checked.

    raises: ServerError
    """
    raw = os.environ.get("XRAYDX_WORKERS") or "2"
    if not raw.isdigit() or not 1 <= int(raw) <= 64:
        raise ServerError(f"XRAYDX_WORKERS must be a number between 1 and 64, not {raw!r}.")
    return int(raw)


def is_loopback(host: str) -> bool:
    """Whether a host name stands for this machine alone."""
    try:
        found = socket.getaddrinfo(host, None)
    except OSError as error:
        raise ServerError(f"HOST={host} is no name or address that this machine knows.") from error
    return all(ipaddress.ip_address(str(one[4][0])).is_loopback for one in found)


def check_room(folder: Path) -> None:
    """Refuse to start on a full disk, where PostgreSQL would stop in the middle of a film."""
    while not folder.exists():
        folder = folder.parent
    free_mb = shutil.disk_usage(folder).free // 2**20
    if free_mb < ROOM_NEEDED_MB:
        raise ServerError(
            f"No room: {free_mb} MB are free in {folder}, {ROOM_NEEDED_MB} MB are needed.\n"
            "  Free some, or set XRAYDX_VAR to a folder on a larger disk."
        )


def check_port(address: WebAddress) -> None:
    """Refuse a port that another program holds, before anything else is started."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address.host, address.port))
        except PermissionError as error:
            raise ServerError(
                f"Port {address.port} is kept for the system. Choose one above 1023: "
                "make run PORT=8010"
            ) from error
        except OSError as error:
            raise ServerError(
                f"Port {address.port} on {address.host} is taken by another program.\n"
                f"  Choose another: make run PORT={(address.port + 10) % 65000}"
            ) from error
