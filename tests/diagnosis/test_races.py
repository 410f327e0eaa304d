"""What happens when several connections want the same thing at once."""

import io
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from diagnosis import films, queue, services
from diagnosis.models import Analysis, Film, Finding, UploadKey
from diagnosis.queue import LeaseLost
from diagnosis.states import Status
from tests.accounts.factories import make_integration
from tests.diagnosis.factories import claim, draw_png, make_analysis, make_film, make_outcome
from tests.patients.factories import make_visit
from xraydx.errors import UserError

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*steps: Callable[[], Any]) -> list[Any]:
    """Run each step in a thread with a connection of its own; returns results or exceptions."""
    results: list[Any] = [None] * len(steps)
    gate = threading.Barrier(len(steps))

    def run(place: int, step: Callable[[], Any]) -> None:
        try:
            gate.wait(10)
            results[place] = step()
        except Exception as error:
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(steps)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def test_eight_workers_never_claim_the_same_film() -> None:
    waiting = [make_analysis().id for _ in range(24)]

    def claim_all(name: str) -> Callable[[], list[Any]]:
        def step() -> list[Any]:
            taken = []
            while (held := queue.claim_next(worker=name)) is not None:
                taken.append(held.analysis_id)
            return taken

        return step

    taken = at_once(*(claim_all(f"w{number}@h") for number in range(8)))
    counted = Counter(one for each in taken for one in each)
    # A worker that finds the last rows locked by others goes away: it comes again in POLL_S.
    while (held := queue.claim_next(worker="last@h")) is not None:
        counted[held.analysis_id] += 1
    assert counted == Counter(waiting)


def test_of_succeed_and_cancel_exactly_one_wins() -> None:
    for _ in range(6):
        analysis = make_analysis()
        held = claim(analysis)
        outcome = make_outcome()
        done, cancelled = at_once(
            lambda held=held, outcome=outcome: queue.succeed(held, outcome),
            lambda analysis=analysis: queue.cancel(analysis.id),
        )
        analysis.refresh_from_db()
        found = Finding.objects.filter(analysis=analysis).count()
        if analysis.status == Status.CANCELLED:
            assert (isinstance(done, LeaseLost), cancelled, found) == (True, True, 0)
        else:
            assert (analysis.status, done, cancelled, found) == ("succeeded", None, False, 13)


def test_a_late_result_and_a_new_attempt_give_one_result() -> None:
    analysis = make_analysis()
    late = claim(analysis, worker="late@h")
    queue.release_worker("late@h")
    fresh = claim(analysis, worker="fresh@h")
    outcomes = make_outcome(), make_outcome()
    results = at_once(
        lambda: queue.succeed(late, outcomes[0]), lambda: queue.succeed(fresh, outcomes[1])
    )
    assert isinstance(results[0], LeaseLost)
    assert results[1] is None
    assert Finding.objects.filter(analysis=analysis).count() == 13


def test_two_reapers_move_a_row_once() -> None:
    analysis = make_analysis()
    claim(analysis)
    Analysis.objects.filter(id=analysis.id).update(lease_until=Now())
    assert sorted(at_once(queue.reap, queue.reap)) == [0, 1]
    analysis.refresh_from_db()
    assert analysis.attempt == 1


def test_ten_double_clicks_queue_one_analysis() -> None:
    film = make_film()
    click = lambda: queue.enqueue(  # noqa: E731
        film_id=film.id, release="r1", requested_by_id=None
    )
    made = at_once(*[click] * 10)
    assert len({one[0] for one in made}) == 1
    assert [one[1] for one in made].count(True) == 1
    assert Analysis.objects.count() == 1


def test_bytes_being_filed_are_not_dropped_by_an_erasure() -> None:
    from django.db import transaction

    data = draw_png()
    film = make_film(data=data)
    inside, go_on = threading.Event(), threading.Event()

    def file_it_again() -> None:
        digest = films.measure(data)
        with transaction.atomic():
            films.lock_content(digest.sha256)
            films.store(data, digest)
            inside.set()
            go_on.wait(10)
            make_film(data=data)

    def erase() -> bool:
        inside.wait(10)
        Film.objects.filter(id=film.id).delete()
        threading.Timer(0.3, go_on.set).start()
        return films.drop_unreferenced(film.sha256)

    failed, dropped = at_once(file_it_again, erase)
    assert failed is None
    assert dropped is False
    assert films.load(film.sha256) == data


def test_ten_uploads_with_one_key_are_one_film_and_one_analysis(tiny_release: str) -> None:
    visit, by = make_visit(), make_integration()
    data = draw_png()

    def upload() -> Any:
        return services.add_film(visit=visit, file=io.BytesIO(data), by=by, idempotency_key="k")

    added = at_once(*[upload] * 10)
    assert {one.analysis.id for one in added} == {Analysis.objects.get().id}
    assert [one.created for one in added].count(True) == 1
    assert Film.objects.count() == UploadKey.objects.count() == 1


def test_of_two_files_with_one_key_one_is_refused(tiny_release: str) -> None:
    visit, by = make_visit(), make_integration()
    files = [draw_png(), draw_png()]
    added = at_once(
        *(
            lambda data=data: services.add_film(
                visit=visit, file=io.BytesIO(data), by=by, idempotency_key="k"
            )
            for data in files
        )
    )
    refused = [one for one in added if isinstance(one, UserError)]
    assert [one.code for one in refused] == ["idempotency_key_reused"]
    assert Film.objects.count() == 1


def test_the_same_bytes_for_two_patients_at_once_leave_one_question(tiny_release: str) -> None:
    data, by = draw_png(), make_integration()
    visits = [make_visit(), make_visit()]
    added = at_once(
        *(
            lambda visit=visit: services.add_film(visit=visit, file=io.BytesIO(data), by=by)
            for visit in visits
        )
    )
    questions = [one for one in added if isinstance(one, UserError)]
    assert [one.code for one in questions] == ["bytes_of_another_patient"]
