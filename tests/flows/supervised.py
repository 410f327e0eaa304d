"""A whole installation of its own, started as `make run` starts it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from xraydx.embedded import Servers
from xraydx.embedded_account import read_json

ROOT = Path(__file__).resolve().parents[2]
# What a terminal in which somebody types `make run` does not have.
OURS = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "XRAYDX_DATABASE_ROLE", "XRAYDX_HTTPS",
        "DJANGO_SETTINGS_MODULE")  # fmt: skip


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def wait_for(what: Callable[[], object], *, seconds: float) -> float:
    """Wait until something holds; returns the seconds it took, fails when they run out."""
    started = time.monotonic()
    while not what():
        assert time.monotonic() - started < seconds, f"not within {seconds} s"
        time.sleep(0.1)
    return time.monotonic() - started


@dataclass
class Installation:
    """A var folder, a port and the supervisor that serves them."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[str] | None = None

    @property
    def var(self) -> Path:
        return self.folder / "var"

    @property
    def servers(self) -> Servers:
        return Servers(self.var, for_tests=True)

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in OURS}
        return {
            **kept,
            "XRAYDX_VAR": str(self.var),
            "PORT": str(self.port),
            "HOST": "127.0.0.1",
            **more,
        }

    def start(self, **more: str) -> None:
        with (self.folder / "out").open("a") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "xraydx.supervisor"],
                cwd=ROOT,
                env=self.environment(**more),
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def run(self, **more: str) -> tuple[int, str]:
        """Start it where it must refuse; returns the exit status and what it said."""
        ended = subprocess.run(
            [sys.executable, "-m", "xraydx.supervisor"],
            cwd=ROOT,
            env=self.environment(**more),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return ended.returncode, ended.stdout + ended.stderr

    def stop(self, number: int = signal.SIGTERM) -> float:
        """End it; returns the seconds that took."""
        assert self.process is not None
        started = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - started

    def output(self) -> str:
        return (self.folder / "out").read_text()

    def status_of(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0

    def answers(self, path: str = "/sign-in/") -> bool:
        return self.status_of(path) == 200

    def children(self, word: str) -> list[int]:
        """Numbers of the supervisor's own children whose command line holds a word."""
        assert self.process is not None
        found = []
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self.process.pid).children():
                with contextlib.suppress(psutil.Error):
                    if word in " ".join(child.cmdline()):
                        found.append(child.pid)
        return sorted(found)

    def left_over(self) -> list[str]:
        """Command lines of living processes that belong to this installation."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = " ".join(process.cmdline()) + process.environ().get("XRAYDX_VAR", "")
                if str(self.var) in words and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(words)
        return found

    def noted_children(self) -> list[int]:
        return [int(pid) for pid in read_json(self.var / "private" / "children.json")]


@contextlib.contextmanager
def installation() -> Iterator[Installation]:
    """A fresh one that leaves nothing behind, however the test ends."""
    folder = Path(tempfile.mkdtemp(prefix="xdx-", dir="/tmp"))
    folder.chmod(0o711)
    one = Installation(folder)
    try:
        yield one
    finally:
        if one.process is not None and one.process.poll() is None:
            one.stop()
        shutil.rmtree(folder, ignore_errors=True)
