"""Folders that belong to one user alone, and the system user that the servers run as under root."""

import hashlib
import json
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ACCOUNT = "xraydx-db"
# Where the servers live under root when the database's user can't reach the clone.
SYSTEM_PLACE = Path("/var/lib/xraydx")
# A socket's whole path must fit into sockaddr_un: 108 bytes on Linux, 104 on macOS.
SOCKET_PATH_LIMIT = 100


class ServerError(Exception):
    """An embedded server can't be used; the text says what to do."""


@dataclass(frozen=True)
class Account:
    """The user that owns the servers' files and runs their processes."""

    uid: int
    gid: int
    name: str

    @property
    def is_self(self) -> bool:
        """Whether this is who we are, so that nothing is handed over."""
        return self.uid == os.geteuid()

    def process_options(self) -> dict[str, Any]:
        """Arguments of subprocess that start a program as this user, with a clean environment."""
        options: dict[str, Any] = {
            "cwd": "/",
            "env": {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "HOME": "/"},
        }
        if not self.is_self:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return options

    def can_enter(self, folder: Path) -> bool:
        """Whether this user can change into the folder, by trying."""
        command = ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)]
        tried = subprocess.run(command, capture_output=True, check=False, **self.process_options())
        return tried.returncode == 0


def server_account() -> Account:
    """Who the servers run as: ourselves, or under root a system user of their own."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), "")
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        entry = _make_account()
    if entry.pw_uid == 0:
        raise ServerError(f"The system user {ACCOUNT} is root; remove it, it must have its own id.")
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def _make_account() -> pwd.struct_passwd:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    command = [useradd or "", "--system", "--user-group", "--no-create-home"]
    command += ["--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", ACCOUNT]
    if useradd:
        subprocess.run(command, capture_output=True, check=False)
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        raise ServerError(
            "PostgreSQL does not run as root, and the system user for it could not be made.\n"
            f"  Make it once (useradd --system {ACCOUNT}), or run xraydx as an ordinary user,\n"
            "  or set DATABASE_URL and REDIS_URL to servers of your own."
        ) from None


def short_name(folder: Path) -> str:
    """Ten letters that stand for a folder, so that two clones do not meet."""
    return hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:10]


def private_folder(folder: Path, owner: Account | None = None) -> Path:
    """Make a folder that its owner alone may enter; refuse one that others may.

    raises: ServerError when the folder belongs to somebody else or is open to others
    """
    uid = owner.uid if owner else os.geteuid()
    try:
        make_parents(folder.parent)
        folder.mkdir(mode=0o700)
        if owner and not owner.is_self:
            os.chown(folder, owner.uid, owner.gid, follow_symlinks=False)
    except FileExistsError:
        pass
    except PermissionError as error:
        raise ServerError(f"{error.filename} can't be made or changed by this user.") from error
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid:
        raise ServerError(
            f"{folder} does not belong to user id {uid}.\n"
            "  Start xraydx as the user who started it first, or move the folder away."
        )
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def make_parents(folder: Path) -> None:
    """Make missing parents; existing ones keep their modes.

    A new one may be passed through but not listed, because the database's user lives below it.
    """
    if not folder.exists():
        make_parents(folder.parent)
        folder.mkdir(mode=0o711, exist_ok=True)
        folder.chmod(0o711)


def give_file(file: Path, text: str, owner: Account) -> None:
    """Write a file anew that its owner alone can read."""
    file.unlink(missing_ok=True)
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    with os.fdopen(os.open(file, flags, 0o600), "w") as stream:
        stream.write(text)
        if not owner.is_self:
            os.fchown(stream.fileno(), owner.uid, owner.gid)


def write_private(file: Path, text: str) -> None:
    """Write a file that only we can read, whole or not at all."""
    new = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(text)
    new.replace(file)


def read_json(file: Path) -> dict[str, Any]:
    """The contents of a file of ours, empty when there is none or a power cut tore it."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def locked(file: Path, operation: int) -> Iterator[IO[str]]:
    """Hold a lock that the system drops when we die (fcntl.LOCK_SH, LOCK_EX, LOCK_NB).

    raises: BlockingIOError with LOCK_NB when another process holds it
    """
    import fcntl

    with file.open("a", encoding="utf-8") as stream:
        fcntl.flock(stream, operation)
        yield stream
