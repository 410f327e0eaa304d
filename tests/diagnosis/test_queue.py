"""The queue: claims, leases, fences."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from diagnosis import queue
from diagnosis.models import Analysis, Finding, Lesion, WorkerHeartbeat
from diagnosis.queue import LeaseLost
from diagnosis.states import FINAL, TRANSITIONS, Event, Status, origins, target
from tests.diagnosis.factories import claim, make_analysis, make_film, make_outcome
from tests.patients.factories import make_visit

pytestmark = pytest.mark.django_db


def put_into(status: Status) -> tuple[Analysis, queue.Claim]:
    """An analysis in the status, and the claim that a worker holds or once held on it."""
    analysis = make_analysis()
    if status is Status.QUEUED:
        held = queue.Claim(analysis.id, analysis.film_id, analysis.release, "tests@here", 0)
        return analysis, held
    held = claim(analysis)
    if status is Status.SUCCEEDED:
        queue.succeed(held, make_outcome())
    elif status is Status.REFUSED:
        queue.refuse(held, reason="lateral")
    elif status is Status.FAILED:
        queue.fail(held, reason="internal_error")
    elif status is Status.CANCELLED:
        queue.cancel(analysis.id)
    return analysis, held


def happen(event: Event, analysis: Analysis, held: queue.Claim) -> None:
    """Let the event happen in the way in which it does in practice."""
    if event is Event.CLAIM:
        queue.claim_next(worker="other@here")
    elif event is Event.SUCCEED:
        queue.succeed(held, make_outcome())
    elif event is Event.REFUSE:
        queue.refuse(held, reason="lateral")
    elif event is Event.FAIL:
        queue.fail(held, reason="internal_error")
    elif event is Event.RETRY:
        queue.retry(held, reason="storage_unavailable")
    elif event is Event.REAP:
        expire(analysis)
        queue.reap()
    elif event is Event.RELEASE:
        queue.release_worker("tests@here")
    else:
        queue.cancel(analysis.id)


def expire(analysis: Analysis) -> None:
    running = Analysis.objects.filter(id=analysis.id, status=Status.RUNNING)
    running.update(lease_until=Now() - timedelta(seconds=1))


@pytest.mark.parametrize("event", list(Event))
@pytest.mark.parametrize("status", list(Status))
def test_only_the_table_moves_an_analysis(status: Status, event: Event) -> None:
    analysis, held = put_into(status)
    before = Analysis.objects.values().get(id=analysis.id)
    allowed = (status, event) in TRANSITIONS
    try:
        happen(event, analysis, held)
    except LeaseLost:
        assert not allowed
    after = Analysis.objects.values().get(id=analysis.id)
    if allowed:
        assert after["status"] == TRANSITIONS[status, event]
        assert after["updated_at"] > before["updated_at"]
    else:
        assert after == before


def test_final_states_lead_nowhere() -> None:
    assert not [pair for pair in TRANSITIONS if pair[0] in FINAL]


@pytest.mark.parametrize("event", list(Event))
def test_every_event_has_origins_and_one_target(event: Event) -> None:
    assert origins(event)
    assert target(event) in Status


def test_the_most_urgent_film_is_claimed_first_then_the_oldest() -> None:
    calm = make_analysis(make_film(make_visit(triage_level=4)))
    later = make_analysis(make_film(make_visit(triage_level=2)))
    sooner = make_analysis(make_film(make_visit(triage_level=2)))
    Analysis.objects.filter(id=sooner.id).update(created_at=Now() - timedelta(seconds=30))
    order = [queue.claim_next(worker="w@h").analysis_id for _ in range(3)]
    assert order == [sooner.id, later.id, calm.id]
    assert queue.claim_next(worker="w@h") is None


def test_a_film_that_waited_too_long_goes_before_urgent_ones() -> None:
    old = make_analysis(make_film(make_visit(triage_level=5)))
    make_analysis(make_film(make_visit(triage_level=2)))
    waited = Now() - timedelta(seconds=queue.MAX_WAIT_S + 1)
    Analysis.objects.filter(id=old.id).update(created_at=waited)
    assert queue.claim_next(worker="w@h").analysis_id == old.id


def test_a_worker_kept_for_urgent_films_leaves_the_others() -> None:
    make_analysis(make_film(make_visit(triage_level=3)))
    assert queue.claim_next(worker="w@h", max_triage=2) is None
    urgent = make_analysis(make_film(make_visit(triage_level=2)))
    assert queue.claim_next(worker="w@h", max_triage=2).analysis_id == urgent.id


def test_a_changed_triage_level_counts_at_once() -> None:
    first = make_analysis(make_film(make_visit(triage_level=3)))
    second = make_analysis(make_film(make_visit(triage_level=3)))
    visit = second.film.visit
    visit.triage_level = 1
    visit.save()
    assert queue.claim_next(worker="w@h").analysis_id == second.id
    assert queue.claim_next(worker="w@h").analysis_id == first.id


def test_a_worker_that_lost_its_lease_writes_nothing() -> None:
    analysis = make_analysis()
    slow = claim(analysis, worker="slow@here")
    expire(analysis)
    assert queue.reap() == 1
    Analysis.objects.filter(id=analysis.id).update(available_at=Now())
    quick = claim(analysis, worker="quick@here")
    assert quick.attempt == slow.attempt + 1
    for late in (
        lambda: queue.succeed(slow, make_outcome()),
        lambda: queue.refuse(slow, reason="lateral"),
        lambda: queue.fail(slow, reason="internal_error"),
        lambda: queue.retry(slow, reason="storage_unavailable"),
        lambda: queue.renew(slow),
    ):
        with pytest.raises(LeaseLost):
            late()
    assert not Finding.objects.exists()
    assert not Lesion.objects.exists()
    queue.succeed(quick, make_outcome())
    assert Finding.objects.count() == 13


def test_even_a_worker_of_the_same_name_is_fenced_out() -> None:
    analysis = make_analysis()
    dead = claim(analysis, worker="w@h")
    queue.release_worker("w@h")
    reborn = claim(analysis, worker="w@h")
    with pytest.raises(LeaseLost):
        queue.succeed(dead, make_outcome())
    queue.succeed(reborn, make_outcome())


def test_renewing_lengthens_the_lease_and_notices_a_cancel() -> None:
    analysis = make_analysis()
    held = claim(analysis)
    Analysis.objects.filter(id=analysis.id).update(lease_until=Now())
    queue.renew(held)
    analysis.refresh_from_db()
    assert (analysis.lease_until - analysis.started_at).total_seconds() > queue.lease_s() - 5
    assert queue.cancel(analysis.id)
    with pytest.raises(LeaseLost):
        queue.renew(held)


def test_a_passing_fault_is_tried_three_times_with_growing_waits() -> None:
    analysis = make_analysis()
    waits = []
    for _ in range(2):
        assert queue.retry(claim(analysis), reason="storage_unavailable") is Status.QUEUED
        assert queue.claim_next(worker="w@h") is None
        analysis.refresh_from_db()
        waits.append((analysis.available_at - analysis.updated_at).total_seconds())
        Analysis.objects.filter(id=analysis.id).update(available_at=Now())
    assert queue.retry(claim(analysis), reason="storage_unavailable") is Status.FAILED
    analysis.refresh_from_db()
    assert (analysis.status, analysis.reason) == (Status.FAILED, "storage_unavailable")
    assert waits[0] < waits[1]


def test_a_lease_that_runs_out_three_times_fails_the_analysis() -> None:
    analysis = make_analysis()
    for _ in range(3):
        Analysis.objects.filter(id=analysis.id).update(available_at=Now())
        claim(analysis)
        expire(analysis)
        assert queue.reap() == 1
    analysis.refresh_from_db()
    assert (analysis.status, analysis.reason) == (Status.FAILED, "worker_lost")
    assert analysis.attempt == 3


def test_a_killed_worker_costs_the_film_no_attempt() -> None:
    analysis = make_analysis()
    for _ in range(5):
        claim(analysis, worker="w1@host")
        assert queue.release_worker("w1") == 1
    held = claim(analysis)
    assert held.attempt == 6
    assert queue.retry(held, reason="storage_unavailable") is Status.QUEUED


def test_a_film_that_kills_every_worker_ends_as_failed() -> None:
    analysis = make_analysis()
    for _ in range(queue.MAX_RELEASED + 1):
        claim(analysis, worker="w1@host")
        queue.release_worker("w1")
    analysis.refresh_from_db()
    assert (analysis.status, analysis.reason) == (Status.FAILED, "worker_lost")


def test_releasing_one_worker_leaves_the_films_of_others() -> None:
    analysis = make_analysis()
    claim(analysis, worker="w11@host")
    assert queue.release_worker("w1") == 0
    assert queue.release_worker("w11") == 1


def test_a_worker_without_heartbeat_is_taken_for_dead() -> None:
    analysis = make_analysis()
    claim(analysis, worker="w@h")
    queue.beat(worker="w@h", pid=1, state="reading")
    assert queue.reap() == 0
    silent = Now() - timedelta(seconds=queue.WORKER_DEAD_S + 1)
    WorkerHeartbeat.objects.update(seen_at=silent)
    assert queue.reap() == 0, "it was only just claimed"
    Analysis.objects.filter(id=analysis.id).update(started_at=silent)
    assert queue.reap() == 1
    analysis.refresh_from_db()
    assert (analysis.status, analysis.attempt, analysis.released) == ("queued", 1, 1)


def test_a_second_beat_replaces_the_first() -> None:
    queue.beat(worker="w@h", pid=1, state="idle")
    queue.beat(worker="w@h", pid=2, state="reading")
    row = WorkerHeartbeat.objects.get()
    assert (row.pid, row.state) == (2, "reading")


def test_two_requests_for_one_film_and_release_are_one_analysis() -> None:
    film = make_film()
    first = queue.enqueue(film_id=film.id, release="r1", requested_by_id=None)
    again = queue.enqueue(film_id=film.id, release="r1", requested_by_id=None)
    other = queue.enqueue(film_id=film.id, release="r2", requested_by_id=None)
    assert first[1] is True
    assert again == (first[0], False)
    assert other[0] != first[0]


def test_cancelling_twice_is_told_apart() -> None:
    analysis = make_analysis()
    assert queue.cancel(analysis.id)
    assert not queue.cancel(analysis.id)
