"""`make run`: start everything, keep it alive, end everything.

Web, workers, the clock, and the embedded PostgreSQL and Redis are watched; what dies starts
again within 5 s. A dead worker's film goes back to the queue at once.
"""

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xraydx import embedded, start_checks
from xraydx.embedded_account import ServerError, locked, read_json, write_private
from xraydx.embedded_postgres import Postgres
from xraydx.embedded_redis import Redis
from xraydx.processes import Child, end_all, end_leftovers, start_time

log = logging.getLogger("xraydx.supervisor")
ROOT = embedded.ROOT
TICK_S = 0.2
CHILDREN_END_S = 8.0
SERVERS_END_S = 4
WATCH_SERVERS_EVERY_S = 1.0
TRIM_EVERY_S = 60.0


class Supervisor:
    """All processes of one clone."""

    def __init__(self, address: start_checks.WebAddress, var: Path) -> None:
        self.address = address
        self.servers = embedded.Servers(var)
        self.stopping = threading.Event()
        self.environment = self._environment()
        self.web = self._child("web", "-m", "gunicorn", "-c", "python:xraydx.web_server",
                               "xraydx.wsgi:application")  # fmt: skip
        count = start_checks.read_worker_count()
        self.workers = [self._worker(number) for number in range(1, count + 1)]
        self.clock = self._child("clock", "manage.py", "run_clock")
        self.shadow = self._child("shadow", "manage.py", "run_shadow")
        self.children = [self.web]
        self.mending: threading.Thread | None = None

    # --- what is started -------------------------------------------------------------------

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "XRAYDX_VAR": str(self.servers.var),
            "XRAYDX_HTTPS": "1" if self.address.secure else os.environ.get("XRAYDX_HTTPS", "0"),
            "HOST": self.address.host,
            "PORT": str(self.address.port),
            "PYTHONUNBUFFERED": "1",
            "XRAYDX_DATABASE_ROLE": "app",
        }

    def _child(self, name: str, *arguments: str, **more: Any) -> Child:
        log_file = self.servers.var / "logs" / f"{name}.log"
        return Child(name, [sys.executable, *arguments], log_file, self.environment, **more)

    def _worker(self, number: int) -> Child:
        name = f"worker{number}"
        return self._child(
            name, "-m", "celery", "-A", "xraydx", "worker", "--pool", "solo",
            "--without-mingle", "--without-gossip", "-n", f"{name}@xraydx",
            "--loglevel", "WARNING", on_death=self._release,
        )  # fmt: skip

    def _release(self, child: Child) -> None:
        """Give the dead worker's film back to the queue; the reaper does it where this fails."""
        command = [sys.executable, "manage.py", "release_worker", f"{child.name}@xraydx"]
        with contextlib.suppress(subprocess.TimeoutExpired), child.log_file.open("ab") as output:
            subprocess.run(
                command, env=self.environment, cwd=ROOT, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=output, timeout=10, check=False,
            )  # fmt: skip

    # --- the run ---------------------------------------------------------------------------

    def run(self) -> int:
        """Start, watch until a signal comes, end.

        returns: exit status
        """
        (self.servers.var / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._servers_running():
            try:
                self._prepare_and_start()
                self._watch()
            finally:
                log.info("Ending everything.")
                end_all(self.children, seconds=CHILDREN_END_S)
                self._note_children([])
                if self.mending is not None:
                    self.mending.join(SERVERS_END_S)
                if embedded.servers_needed():
                    self.servers.stop(seconds=SERVERS_END_S)
        log.info("Everything has ended.")
        return 0

    @contextlib.contextmanager
    def _servers_running(self) -> Iterator[None]:
        if embedded.servers_needed():
            with self.servers.in_use():
                yield
        else:
            yield

    def _prepare_and_start(self) -> None:
        """Migrate, then start; the web starts at once where nothing changed since the last time."""
        stamp = self.servers.private / "prepared"
        wanted = fingerprint()
        known = stamp.exists() and stamp.read_text() == wanted
        if known:
            self._start(self.web)
        self._prepare()
        write_private(stamp, wanted)
        for child in [self.web, *self.workers, self.clock, self.shadow]:
            if child.process is None:
                self._start(child)

    def _start(self, child: Child) -> None:
        if child not in self.children:
            self.children.append(child)
        child.start()
        self._note_children(self.children)

    def _prepare(self) -> None:
        command = [sys.executable, "manage.py", "prepare"]
        environment = self.environment | {"XRAYDX_DATABASE_ROLE": "owner"}
        # In a session of its own: Ctrl-C must not cut a migration in two.
        process = subprocess.Popen(command, env=environment, cwd=ROOT, start_new_session=True)
        if process.wait() != 0:
            raise ServerError("The database could not be prepared; the reason stands above.")

    def _watch(self) -> None:
        """Keep all alive until a signal comes."""
        announced = False
        next_look = next_trim = 0.0
        while not self.stopping.wait(TICK_S):
            before = [child.pid for child in self.children]
            for child in self.children:
                child.keep_alive()
            if before != [child.pid for child in self.children]:
                self._note_children(self.children)
            now = time.monotonic()
            if now >= next_look:
                next_look = now + WATCH_SERVERS_EVERY_S
                self._mend_servers()
            if now >= next_trim:
                next_trim = now + TRIM_EVERY_S
                for child in self.children:
                    child.trim_log()
            if not announced and self._answers():
                announced = True
                print(f"xraydx runs at {self.address.url}   (Ctrl-C ends it)", flush=True)  # noqa: T201

    def _mend_servers(self) -> None:
        """Start a dead PostgreSQL or Redis again, beside the loop that watches the others."""
        if self.mending is not None and self.mending.is_alive():
            return
        dead = [server for server in self._own_servers() if not server.alive()]
        if dead:
            self.mending = threading.Thread(target=self._start_servers, args=(dead,), daemon=True)
            self.mending.start()

    def _own_servers(self) -> list[Postgres | Redis]:
        return self.servers.ours() if embedded.servers_needed() else []

    def _start_servers(self, dead: list[Postgres | Redis]) -> None:
        log.warning("%s died; it starts again.", " and ".join(type(one).__name__ for one in dead))
        try:
            self.servers.start()
        except ServerError as error:
            log.error("%s", error)
            self.stopping.wait(WATCH_SERVERS_EVERY_S)

    def _answers(self) -> bool:
        if self.address.secure:
            return True
        url = f"{self.address.url}/healthz"  # http on loopback: start_checks saw to it
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except OSError:
            return False

    def _note_children(self, children: list[Child]) -> None:
        """Write down who runs, for the next supervisor, should this one be killed."""
        pids = [child.pid for child in children if child.pid]
        noted = {str(pid): start_time(pid) for pid in pids}
        write_private(self.servers.private / "children.json", json.dumps(noted))


def fingerprint() -> str:
    """What a prepared database depends on: the migrations, the grants and the address."""
    parts = [os.environ.get("DATABASE_URL", ""), (ROOT / "audit" / "grants.py").read_text()]
    migrations = ROOT.glob("*/migrations/*.py")
    parts += sorted(str(file.relative_to(ROOT)) for file in migrations)
    parts.append((ROOT / "requirements" / "serve.txt").read_text())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def main() -> int:
    """Check, take the lock, run."""
    logging.basicConfig(level=logging.INFO, format="xraydx: %(message)s", stream=sys.stderr)
    os.chdir(ROOT)
    var = embedded.var_folder()
    try:
        address = start_checks.read_address()
        start_checks.check_room(var)
        private = embedded.private_folder(var / "private")
        with only_one(private):
            left = end_leftovers(read_json(private / "children.json"))
            if left:
                log.info("Ended %d processes that an earlier run had left.", len(left))
            start_checks.check_port(address)
            supervisor = Supervisor(address, var)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, lambda *_: supervisor.stopping.set())
            return supervisor.run()
    except ServerError as error:
        log.error("%s", error)
        return 1


@contextlib.contextmanager
def only_one(private: Path) -> Iterator[None]:
    """Hold the clone's lock, which a power cut or kill -9 releases by itself."""
    file = private / "supervisor.lock"
    try:
        with locked(file, fcntl.LOCK_EX | fcntl.LOCK_NB) as stream:
            stream.truncate(0)
            stream.write(str(os.getpid()))
            stream.flush()
            yield
    except BlockingIOError:
        pid = file.read_text().strip() or "?"
        raise ServerError(
            f"xraydx already runs in this clone (process {pid}).\n  End it with Ctrl-C in its "
            f"terminal or `kill {pid}`; another clone can run beside it on another PORT."
        ) from None


if __name__ == "__main__":
    sys.exit(main())
