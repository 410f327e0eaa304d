"""Warm helper processes that open files under limits of memory, time and size.

A helper serves JOBS_PER_HELPER files, or until its first fault, and is then replaced by one that
has been started before, so that no file waits for the libraries to load.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.imaging.radiograph import HEADER, Limits
from ml.refusal import DECODE_CODES, Refusal

JOBS_PER_HELPER = 50
HELPERS = 2
# a successor loads its libraries while the old helper still works
SPARE_AT_JOBS_LEFT = 10
START_SECONDS = 60.0
REPLY_MAX_BYTES = 65536
# on the clock a job may take this many times its processor time: the machine may be busy
CLOCK_FACTOR = 3
_ROOT = Path(__file__).resolve().parents[2]
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    "from ml.imaging.helper import serve; serve(*map(int, sys.argv[2:5]))"
)
# One thread: address space is limited, and other workers use the other cores. Memory that a film
# has used is kept for the next, because asking the kernel for it anew takes a third of a job's time
# (glibc only; others do not look at it).
_MALLOC = "hugetlb=1", "mmap_threshold=4294967296", "trim_threshold=4294967296"
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "GLIBC_TUNABLES": ":".join(f"glibc.malloc.{option}" for option in _MALLOC),
}

Film = npt.NDArray[np.float32]
Contents = bytes | mmap


class HelperDiedError(Exception):
    """A helper ended without an answer, for a reason that is not the file's."""


class HelperStartError(RuntimeError):
    """No helper could be started: a fault of the installation or of the machine."""


class Helper:
    """One child process with its two shared files and its reply pipe."""

    def __init__(self) -> None:
        self._inbox = _make_shared_file("inbox")
        self._outbox = _make_shared_file("outbox")
        self._replies, child_end = os.pipe()
        shared = (self._inbox, self._outbox, child_end)
        try:
            self._process = _start_process(shared)
        except OSError:
            for descriptor in (self._inbox, self._outbox, self._replies):
                os.close(descriptor)
            raise
        finally:
            os.close(child_end)
        self._pending = b""
        self._ready = False
        self.jobs_left = JOBS_PER_HELPER

    def ask(self, data: Contents, *, limits: Limits, wanted: int) -> dict[str, Any]:
        """Have one file opened.

        wanted: HEADER, ALL_PIXELS, or at how many pixels of the longer side the film is to come
        returns: the helper's answer: "refusal" with "detail", or "header", "corrections", "shape"
        raises: Refusal where the helper ended over the file, else HelperDiedError;
            HelperStartError where it never began
        """
        self.jobs_left -= 1
        self._wait_until_ready()
        _write_file(self._inbox, data)
        job = {"size": len(data), "wanted": wanted, "limits": dataclasses.asdict(limits)}
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as fault:
            raise HelperDiedError from fault
        line = self._read_line(limits.seconds * CLOCK_FACTOR)
        os.ftruncate(self._inbox, 0)
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError as fault:
            raise HelperDiedError from fault
        return answer

    def _wait_until_ready(self) -> None:
        if self._ready:
            return
        try:
            self._read_line(START_SECONDS)
        except (Refusal, HelperDiedError) as fault:
            raise HelperStartError("the process that opens films does not start") from fault
        self._ready = True

    def take_pixels(self, shape: tuple[int, int]) -> Film:
        """Copy the film out of the shared file; a copy cannot change or vanish afterwards."""
        film = np.empty(shape, np.float32)
        view = film.data.cast("B")
        done = 0
        while done < len(view):
            count = os.preadv(self._outbox, [view[done:]], done)
            if not count:
                raise HelperDiedError
            done += count
        os.ftruncate(self._outbox, 0)
        return film

    def _read_line(self, seconds: float) -> bytes:
        waiter = select.poll()
        waiter.register(self._replies, select.POLLIN | select.POLLHUP)
        deadline = time.monotonic() + seconds
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0 or not waiter.poll(left * 1000):
                self._process.kill()
                raise Refusal("decode_limit", limit="time")
            part = os.read(self._replies, REPLY_MAX_BYTES)
            self._pending += part
            if not part or len(self._pending) > REPLY_MAX_BYTES:
                self._raise_death()
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _raise_death(self) -> None:
        self._process.kill()
        ended_by = -self._process.wait()
        if ended_by in (signal.SIGXCPU, signal.SIGXFSZ):
            raise Refusal("decode_limit", limit="time" if ended_by == signal.SIGXCPU else "size")
        if ended_by in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT):
            raise Refusal("unreadable", fault=signal.Signals(ended_by).name)
        raise HelperDiedError

    def close(self) -> None:
        """End the process and let go of everything."""
        self._process.kill()
        self._process.wait()
        self.abandon()

    def abandon(self) -> None:
        """Let go of a process that belongs to another: after a fork, the parent's."""
        self._process.returncode = self._process.returncode or 0  # nothing to wait for here
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        for descriptor in (self._inbox, self._outbox, self._replies):
            with contextlib.suppress(OSError):
                os.close(descriptor)


class Sandbox:
    """A few places for helpers, each used by one thread at a time."""

    def __init__(self, *, helpers: int = HELPERS) -> None:
        self._changed = threading.Condition()
        self._idle: list[Helper | None] = [None] * helpers  # None: a place without helper
        self._all: set[Helper] = set()

    def open(
        self, data: Contents, *, limits: Limits, wanted: int
    ) -> tuple[dict[str, Any], Film | None]:
        """Have a file opened by a helper.

        wanted: as for Helper.ask
        returns: (the helper's answer, the film unless only the header was wanted)
        raises: Refusal with one of DECODE_CODES; HelperStartError, which is no film's fault
        """
        try:
            return self._open_once(data, limits=limits, wanted=wanted)
        except (HelperDiedError, HelperStartError):
            pass  # ended from outside, for example by the kernel for want of memory: once more
        try:
            return self._open_once(data, limits=limits, wanted=wanted)
        except HelperDiedError as fault:
            raise Refusal("decode_limit", limit="helper") from fault

    def _open_once(
        self, data: Contents, *, limits: Limits, wanted: int
    ) -> tuple[dict[str, Any], Film | None]:
        helper = self._take()
        keep = False
        try:
            helper = helper or self._start()
            answer = helper.ask(data, limits=limits, wanted=wanted)
            if "refusal" in answer:
                keep = not answer.get("worn")
                raise _to_refusal(answer)
            film = None
            if wanted != HEADER:
                film = helper.take_pixels(_to_shape(answer, limits=limits))
            keep = True
            return answer, film
        finally:
            self._give_back(helper, keep=keep)

    def _take(self) -> Helper | None:
        """Wait for a place; the most used helper comes first, being surely loaded."""
        with self._changed:
            while not self._idle:
                self._changed.wait()
            self._idle.sort(key=lambda helper: helper.jobs_left if helper else JOBS_PER_HELPER + 1)
            return self._idle.pop(0)

    def _give_back(self, helper: Helper | None, *, keep: bool) -> None:
        if helper and (not keep or helper.jobs_left < 1):
            self._all.discard(helper)
            helper.close()
            helper = None
        with self._changed:
            self._idle.append(helper)
            self._changed.notify()
        if helper is None or helper.jobs_left == SPARE_AT_JOBS_LEFT:
            self.warm_up(spare=helper is not None)

    def _start(self) -> Helper:
        helper = Helper()
        with self._changed:
            self._all.add(helper)
        return helper

    def warm_up(self, *, spare: bool = False) -> None:
        """Start a helper without waiting for it, where none is idle or a `spare` one is wanted."""
        with self._changed:
            if (any(self._idle) and not spare) or None not in self._idle:
                return
            self._idle.remove(None)
        helper = None
        try:
            helper = self._start()
        finally:
            with self._changed:
                self._idle.append(helper)
                self._changed.notify()

    def close(self) -> None:
        """End every helper."""
        for helper in list(self._all):
            helper.close()
        self._all.clear()

    def abandon(self) -> None:
        """Let go of the helpers of the process that this one was forked from."""
        for helper in list(self._all):
            helper.abandon()
        self._all.clear()


def _start_process(shared: tuple[int, int, int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _BOOT, str(_ROOT), *map(str, shared)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=shared,
        env=_ENVIRONMENT,
        cwd="/",
    )


def _to_refusal(answer: dict[str, Any]) -> Refusal:
    code = answer["refusal"] if answer["refusal"] in DECODE_CODES else "unreadable"
    return Refusal(code, **{str(name): value for name, value in answer["detail"].items()})


def _to_shape(answer: dict[str, Any], *, limits: Limits) -> tuple[int, int]:
    height, width = (int(side) for side in answer["shape"])
    if not (height > 0 and width > 0 and height * width <= limits.pixels):
        raise HelperDiedError
    return height, width


def _make_shared_file(name: str) -> int:
    """Make a nameless file in memory (on disk, unlinked, where the system has no memfd)."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(f"xraydx-{name}")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _write_file(descriptor: int, data: Contents) -> None:
    view = memoryview(data)
    done = 0
    while done < len(view):
        done += os.pwrite(descriptor, view[done:], done)


_shared: Sandbox | None = None


def shared_sandbox() -> Sandbox:
    """The process's own helpers, started when first needed."""
    global _shared
    if _shared is None:
        _shared = Sandbox()
    return _shared


def close_helpers() -> None:
    """End the process's helpers; the next file starts new ones."""
    global _shared
    if _shared is not None:
        _shared.close()
        _shared = None


def _forget_after_fork() -> None:
    global _shared
    if _shared is not None:
        _shared.abandon()
        _shared = None


atexit.register(close_helpers)
os.register_at_fork(after_in_child=_forget_after_fork)
