"""Entry point of the container: python -m xraydx.container ROLE, one of ROLES, or healthy."""

import os
import socket
import sys
import urllib.request
from pathlib import Path

PORT = "8000"


def web() -> list[str]:
    """The web server; the proxy in front of it ends TLS."""
    os.environ.setdefault("HOST", "0.0.0.0")  # noqa: S104  (inside the container's own network)
    os.environ.setdefault("PORT", PORT)
    # A folder of this container alone: the volume is shared with the other web containers.
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", "/tmp/metrics")  # noqa: S108
    return ["-m", "gunicorn", "-c", "python:xraydx.web_server", "xraydx.wsgi:application"]


def worker() -> list[str]:
    """One worker; its name is the container's, so that any number of them may run."""
    name = f"worker@{socket.gethostname()}"
    return ["-m", "celery", "-A", "xraydx", "worker", "--pool", "solo", "--without-mingle",
            "--without-gossip", "-n", name, "--loglevel", "WARNING"]  # fmt: skip


def scheduler() -> list[str]:
    """The reaper's clock."""
    return ["manage.py", "run_clock"]


def shadow() -> list[str]:
    """Reads with the release that the site runs silently; sleeps where there is none."""
    return ["manage.py", "run_shadow"]


def prepare() -> list[str]:
    """Migrate, set the grants, make the first administrator; runs as the owner and ends."""
    os.environ["XRAYDX_DATABASE_ROLE"] = "owner"
    return ["manage.py", "prepare"]


ROLES = {
    "web": web,
    "worker": worker,
    "scheduler": scheduler,
    "shadow": shadow,
    "prepare": prepare,
}


def healthy() -> int:
    """Whether this container's web answers; the others are judged by their heartbeat."""
    if b"gunicorn" not in Path("/proc/1/cmdline").read_bytes():
        return 0
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/healthz", timeout=4) as answer:
            return 0 if answer.status == 200 else 1
    except OSError:
        return 1


def main(arguments: list[str]) -> int:
    """Become the process of the role, so that signals reach it."""
    if arguments == ["healthy"]:
        return healthy()
    if len(arguments) != 1 or arguments[0] not in ROLES:
        print(f"usage: python -m xraydx.container {'|'.join(ROLES)}|healthy", file=sys.stderr)  # noqa: T201
        return 2
    return os.execv(sys.executable, [sys.executable, *ROLES[arguments[0]]()])  # noqa: S606


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
