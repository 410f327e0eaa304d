"""The worker's threads, with a reading of the test's own in place of the networks."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from diagnosis import pipeline, queue, tasks
from diagnosis.models import Analysis, Finding, WorkerHeartbeat
from diagnosis.queue import Claim
from diagnosis.tasks import Worker
from tests.diagnosis.factories import make_analysis, make_film, make_outcome
from tests.patients.factories import make_visit

pytestmark = pytest.mark.django_db(transaction=True)


def read(claim: Claim) -> None:
    queue.succeed(claim, make_outcome())


def wait_for(true: Callable[[], Any], seconds: float = 8.0) -> None:
    """Look until it is true, at most so long."""
    give_up_at = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up_at, "it never came true"
        time.sleep(0.02)


def status_of(analysis: Analysis) -> str:
    return str(Analysis.objects.values_list("status", flat=True).get(id=analysis.id))


@pytest.fixture
def start() -> Iterator[Callable[..., Worker]]:
    """Start workers that are stopped at the end of the test."""
    running: list[Worker] = []

    def start_one(name: str = "w1@here", **options: Any) -> Worker:
        worker = Worker(name, **{"read": read, "prepare": lambda: "r", **options})
        worker.start()
        running.append(worker)
        return worker

    yield start_one
    for worker in running:
        worker.stop(3.0)
    connection.close()


def test_a_film_is_read_though_no_bell_ever_rang(
    start: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "POLL_S", 0.2)
    start()
    time.sleep(0.4)
    analysis = make_analysis()
    wait_for(lambda: status_of(analysis) == "succeeded")


def test_a_bell_wakes_the_worker_at_once_and_twice_does_no_harm(
    start: Callable[..., Worker],
) -> None:
    worker = start()
    wait_for(lambda: WorkerHeartbeat.objects.filter(state="idle").exists())
    time.sleep(0.2)
    analysis = make_analysis()
    begun = time.monotonic()
    worker.wake()
    worker.wake()
    wait_for(lambda: status_of(analysis) == "succeeded")
    assert time.monotonic() - begun < tasks.POLL_S / 2
    worker.wake()
    time.sleep(0.2)
    assert Finding.objects.count() == 13


def test_a_worker_drains_the_queue_after_one_bell(start: Callable[..., Worker]) -> None:
    waiting = [make_analysis() for _ in range(4)]
    start()
    wait_for(lambda: all(status_of(one) == "succeeded" for one in waiting), tasks.POLL_S - 1)


def test_a_restarted_worker_gives_back_what_its_predecessor_held(
    start: Callable[..., Worker],
) -> None:
    analysis = make_analysis()
    queue.claim_next(worker="w1@here")
    start("w1@here")
    wait_for(lambda: status_of(analysis) == "succeeded")
    assert Analysis.objects.get().released == 1


def test_a_reading_that_breaks_off_is_given_to_another_attempt(
    start: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "POLL_S", 0.1)
    broken = threading.Event()

    def read_badly(claim: Claim) -> None:
        if not broken.is_set():
            broken.set()
            raise RuntimeError
        read(claim)

    analysis = make_analysis()
    start(read=read_badly)
    wait_for(lambda: status_of(analysis) == "succeeded")
    assert Finding.objects.count() == 13


def test_without_a_release_films_wait(
    start: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "RELEASE_RETRY_S", 0.2)
    mended = threading.Event()

    def prepare() -> None:
        if not mended.is_set():
            raise pipeline.ReleaseUnavailable

    analysis = make_analysis()
    start(prepare=prepare)
    wait_for(lambda: WorkerHeartbeat.objects.filter(state__in=["starting", "no_release"]).exists())
    time.sleep(0.3)
    assert status_of(analysis) == "queued"
    mended.set()
    wait_for(lambda: status_of(analysis) == "succeeded")


def test_stopping_finishes_the_film_in_work(start: Callable[..., Worker]) -> None:
    entered = threading.Event()

    def read_slowly(claim: Claim) -> None:
        entered.set()
        time.sleep(0.5)
        read(claim)

    analysis = make_analysis()
    worker = start(read=read_slowly)
    assert entered.wait(5)
    worker.stop(5.0)
    assert status_of(analysis) == "succeeded"
    assert not WorkerHeartbeat.objects.exists()


def test_stopping_gives_back_a_film_that_takes_too_long(start: Callable[..., Worker]) -> None:
    entered, leave = threading.Event(), threading.Event()

    def read_for_ever(claim: Claim) -> None:
        entered.set()
        leave.wait(20)

    analysis = make_analysis()
    worker = start(read=read_for_ever)
    assert entered.wait(5)
    worker.stop(0.3)
    assert status_of(analysis) == "queued"
    leave.set()


def test_a_reading_over_the_time_limit_ends_the_process_and_counts(
    start: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, leave = threading.Event(), threading.Event()

    def end_instead(code: int) -> None:
        assert code == tasks.EXIT_TIME_LIMIT
        ended.set()
        leave.wait(20)

    monkeypatch.setattr(tasks.os, "_exit", end_instead)
    monkeypatch.setattr(tasks, "LAST_WRITE_S", 30.0)
    analysis = make_analysis()
    start(read=lambda _claim: leave.wait(20), hard_limit_s=0.4)
    assert ended.wait(8)
    row = Analysis.objects.get(id=analysis.id)
    assert (row.status, row.attempt, row.released) == ("queued", 1, 0)
    leave.set()


def test_a_broker_that_is_down_is_not_asked_for_every_film(
    settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    def refuse(**_options: Any) -> None:
        asked.append(1)
        raise tasks.OperationalError

    monkeypatch.setattr(tasks, "_broker_rests_until", 0.0)
    monkeypatch.setattr(tasks.ring, "apply_async", refuse)
    for _ in range(3):
        tasks.ring_bell()
    assert len(asked) == 1
    assert "bell not rung" in caplog.text


@pytest.mark.parametrize(("max_triage", "answers"), [(5, True), (2, False)])
def test_quick_reads_come_after_films_and_not_in_a_worker_kept_for_urgent_ones(
    start: Callable[..., Worker], max_triage: int, answers: bool
) -> None:
    order: list[str] = []

    def quick() -> bool:
        order.append("quick")
        return False

    def read_one(claim: Claim) -> None:
        order.append("film")
        read(claim)

    analysis = make_analysis(make_film(make_visit(triage_level=1)))
    start(read=read_one, quick=quick, max_triage=max_triage)
    wait_for(lambda: status_of(analysis) == "succeeded")
    time.sleep(0.3)
    assert order == (["film", "quick"] if answers else ["film"])
