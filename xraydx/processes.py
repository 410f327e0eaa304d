"""A child process that is started again whenever it dies."""

import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

log = logging.getLogger("xraydx.supervisor")
LONGEST_WAIT_S = 5.0
FIRST_WAIT_S = 0.3
# Whoever lived this long has started well: the next death waits shortly again.
SETTLED_S = 30.0
LOG_LIMIT_BYTES = 20 * 2**20


@dataclass
class Child:
    """One command kept alive; its output goes to a file of its own."""

    name: str
    command: list[str]
    log_file: Path
    environment: dict[str, str]
    # Called once after each death, before the next start.
    on_death: Callable[["Child"], None] = lambda child: None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    deaths: int = 0
    history: list[int] = field(default_factory=list)

    def start(self) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches the supervisor alone."""
        with self.log_file.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environment,
                start_new_session=True,
            )
        self.started_at = time.monotonic()
        self.history.append(self.process.pid)

    def keep_alive(self) -> None:
        """See whether it died, and start it again when its wait is over."""
        now = time.monotonic()
        if self.process is not None:
            status = self.process.poll()
            if status is None:
                return
            if now - self.started_at > SETTLED_S:
                self.deaths = 0
            wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**self.deaths)
            self.deaths += 1
            self.start_again_at = now + wait
            log.warning(
                "%s ended with status %d; it starts again in %.1f s (%s)",
                self.name, status, wait, self.log_file,
            )  # fmt: skip
            self.end_group(signal.SIGKILL)
            self.process = None
            self.on_death(self)
        if now >= self.start_again_at:
            self.start()

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def end_group(self, number: int) -> None:
        """Signal the process and its own children."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)

    def terminate(self) -> None:
        """Ask it to end; its own children are its own affair until the time is up."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def trim_log(self) -> None:
        """Keep the newest output; the file is open for appending, so it can be cut."""
        with contextlib.suppress(FileNotFoundError):
            if self.log_file.stat().st_size > LOG_LIMIT_BYTES:
                older = self.log_file.with_suffix(".1.log")
                older.write_bytes(self.log_file.read_bytes())
                os.truncate(self.log_file, 0)


def end_all(children: list[Child], *, seconds: float) -> None:
    """Ask all to end, wait, and kill what is left with its own children."""
    for child in children:
        child.terminate()
    deadline = time.monotonic() + seconds
    for child in children:
        if child.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, deadline - time.monotonic()))
            child.end_group(signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(2)


def end_leftovers(recorded: dict[str, float]) -> list[int]:
    """End processes of a supervisor that was killed: pid to start time, as it wrote them down.

    The start time tells a leftover from another program that got its number since.
    """
    ended = []
    for pid, started_at in recorded.items():
        try:
            process = psutil.Process(int(pid))
            if abs(process.create_time() - started_at) > 1.0:
                continue
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(5)
            except psutil.TimeoutExpired:
                os.killpg(int(pid), signal.SIGKILL)
            ended.append(int(pid))
        except (psutil.Error, ProcessLookupError, PermissionError):
            continue
    return ended


def start_time(pid: int) -> float:
    """When a process started, in seconds since 1970; 0 where it is gone."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0.0
