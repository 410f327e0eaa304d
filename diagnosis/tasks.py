"""The bell, and the worker that hears it.

A bell carries nothing. It wakes a thread that lives in the worker process beside Celery and
looks into the table at least every POLL_S, so that films are read with the broker dead, too.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from celery import current_app, shared_task, signals
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.db.models import Q
from kombu import Exchange
from kombu.exceptions import OperationalError

from . import pipeline, queue, quick_reading
from .models import HEARTBEAT_S, WorkerHeartbeat
from .queue import Claim

log = logging.getLogger(__name__)

# Every worker hears every bell, so that a busy one swallows none.
BELLS = Exchange("bells", type="fanout")
POLL_S = 5.0
URGENT_TRIAGE = 2
BELL_EXPIRES_S = 60
# A broker that did not take a bell is not asked again for so long.
BROKER_REST_S = 5.0
RELEASE_RETRY_S = 15.0
STOP_WAIT_S = 4.0
LAST_WRITE_S = 3.0
EXIT_TIME_LIMIT = 75
EXIT_THREAD_DIED = 70

_broker_rests_until = 0.0
_worker: "Worker | None" = None


@shared_task(name="diagnosis.ring", expires=BELL_EXPIRES_S)
def ring() -> None:
    """Wake this worker. May come twice, late or never: the row is the queue."""
    if _worker is not None:
        _worker.wake()


def ring_bell() -> None:
    """Wake all workers; a broker that is down is logged, and the workers look by themselves."""
    global _broker_rests_until
    if time.monotonic() < _broker_rests_until:
        return
    try:
        _send_bell()
    except (OperationalError, OSError) as error:
        _broker_rests_until = time.monotonic() + BROKER_REST_S
        log.warning("bell not rung: %s", type(error).__name__)


def _send_bell() -> None:
    # A fresh connection each time: one that has outlived a restart of Redis has forgotten that
    # the exchange is a fanout, and drops every bell without an error.
    with current_app.connection_for_write() as broker, broker.Producer() as sender:
        ring.apply_async(producer=sender, retry=False, declare=[BELLS], routing_key=BELLS.name)


@dataclass(frozen=True)
class Job:
    """A claim in work; since: time.monotonic() at its start."""

    claim: Claim
    since: float


class Worker:
    """Reads waiting films one after the other, beats, and ends the process that hangs."""

    def __init__(
        self,
        name: str,
        *,
        read: Callable[[Claim], object] | None = None,
        prepare: Callable[[], object] | None = None,
        quick: Callable[[], bool] | None = None,
        max_triage: int = 5,
        hard_limit_s: float | None = None,
    ) -> None:
        self.name = name
        self._read = read or pipeline.run
        self._prepare = prepare or pipeline.warm_up
        # Patients' films first: a quick read is answered when none waits.
        self._quick = quick or quick_reading.answer_next
        self._quick_since: float | None = None
        self._max_triage = max_triage
        self._hard_limit_s = hard_limit_s or settings.ANALYSIS_HARD_SECONDS
        self._bell = threading.Event()
        self._stopping = threading.Event()
        self._job: Job | None = None
        self._left_open = False
        self._state = WorkerHeartbeat.State.STARTING
        loops = (self._drain, self._beat, self._watch)
        self._threads = [threading.Thread(target=loop, daemon=True) for loop in loops]

    def start(self) -> None:
        """Give back what a former process of this name held, and begin."""
        _survive_database(lambda: queue.release_worker(self.name))
        # Celery closes the file numbers of this thread's connections a moment later, though the
        # connections would close them too: the second time it would be another thread's number.
        connection.close()
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look into the table now."""
        self._bell.set()

    def stop(self, wait_s: float = STOP_WAIT_S) -> None:
        """Finish the film in work, or give it back where that takes too long."""
        self._stopping.set()
        self._bell.set()
        for thread in self._threads:
            thread.join(wait_s if thread is self._threads[0] else 1.0)
        _survive_database(lambda: queue.release_worker(self.name))

    def _drain(self) -> None:
        while not self._stopping.is_set() and not self._load_release():
            self._stopping.wait(RELEASE_RETRY_S)
        while not self._stopping.is_set():
            if not _survive_database(self._read_next):
                self._bell.wait(POLL_S)
                self._bell.clear()
        connection.close()

    def _load_release(self) -> bool:
        try:
            self._prepare()
        except pipeline.ReleaseUnavailable:
            # Films wait: a broken installation is mended, it is no fault of theirs.
            self._state = WorkerHeartbeat.State.NO_RELEASE
            log.exception("worker %s: the release cannot be loaded", self.name)
            return False
        self._state = WorkerHeartbeat.State.IDLE
        return True

    def _read_next(self) -> bool:
        """Claim and read one film; False when none waits."""
        close_old_connections()
        if self._left_open:
            queue.give_back(Q(worker=self.name))
            self._left_open = False
        claim = queue.claim_next(worker=self.name, max_triage=self._max_triage)
        if claim is None:
            return self._answer_quick()
        self._state = WorkerHeartbeat.State.READING
        self._job = Job(claim, time.monotonic())
        try:
            self._read(claim)
        except Exception:
            log.exception("analysis %s: left open", claim.analysis_id)
            self._left_open = True
            return False
        finally:
            self._job = None
            self._state = WorkerHeartbeat.State.IDLE
        return True

    def _answer_quick(self) -> bool:
        """Answer one quick read; never in a worker that is kept for urgent films."""
        if self._max_triage <= URGENT_TRIAGE:
            return False
        self._quick_since = time.monotonic()
        try:
            return self._quick()
        finally:
            self._quick_since = None

    def _beat(self) -> None:
        while not self._stopping.is_set():
            _survive_database(self._beat_once)
            self._stopping.wait(HEARTBEAT_S)
        connection.close()

    def _beat_once(self) -> None:
        close_old_connections()
        queue.beat(worker=self.name, pid=os.getpid(), state=self._state)

    def _watch(self) -> None:
        while not self._stopping.wait(min(0.5, self._hard_limit_s / 4)):
            job = self._job
            alive = all(thread.is_alive() for thread in self._threads)
            if not alive and not self._stopping.is_set():
                os._exit(EXIT_THREAD_DIED)
            since = self._quick_since
            if since is not None and time.monotonic() - since > self._hard_limit_s:
                # Its row is taken for lost and counted by the next worker.
                os._exit(EXIT_TIME_LIMIT)
            if job is not None and time.monotonic() - job.since > self._hard_limit_s:
                self._end_process(job.claim)

    def _end_process(self, claim: Claim) -> None:
        """Count the attempt as failed and leave; whoever supervises starts a fresh process."""
        log.error("analysis %s: over the time limit, worker %s ends", claim.analysis_id, self.name)
        latest = threading.Timer(LAST_WRITE_S, os._exit, [EXIT_TIME_LIMIT])
        latest.daemon = True
        latest.start()
        _survive_database(lambda: queue.retry(claim, reason="time_limit"))
        connection.close()
        os._exit(EXIT_TIME_LIMIT)


def _survive_database(step: Callable[[], Any]) -> Any:
    """Carry out the step; with the database away, log it and return None."""
    try:
        return step()
    except (DatabaseError, InterfaceError, queue.LeaseLost) as error:
        log.warning("database step failed: %s", type(error).__name__)
        connection.close()
        return None


@signals.worker_init.connect
def start_worker(sender: str, **_kwargs: object) -> None:
    """Begin to read as soon as the process is up, whether or not the broker answers."""
    global _worker
    max_triage = URGENT_TRIAGE if settings.URGENT_ONLY else 5
    _worker = Worker(str(sender), max_triage=max_triage)
    _worker.start()


@signals.worker_shutdown.connect
def stop_worker(**_kwargs: object) -> None:
    """Leave nothing half read behind."""
    if _worker is not None:
        _worker.stop()
