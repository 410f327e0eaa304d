"""Which studies wait, in which order, and who has them."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from audit.models import Entry
from diagnosis.models import Film, Study
from diagnosis.queue import FindingRow
from diagnosis.readings import choose_first_look, record_first_look
from diagnosis.services import sign_reading
from patients.models import Visit
from tests.accounts.factories import client_of, make_nurse, make_physician, make_radiologist
from tests.diagnosis.factories import make_film, make_refusal, make_result
from tests.patients.factories import close, left_ago, make_visit
from worklist import display
from worklist.models import Hold
from worklist.selectors import holder_of, people_in, queue_for
from worklist.services import release_study, take_study
from xraydx.errors import Conflict, Forbidden, NotFound

pytestmark = pytest.mark.django_db


def films_in_order(user: object) -> list[object]:
    return [item.lead.film_id for item in queue_for(user).items]  # type: ignore[arg-type]


def test_a_raised_study_comes_before_one_of_the_same_triage_that_waits_longer() -> None:
    quiet = make_result(make_film(), findings=[]).film
    raised = make_result(make_film()).film
    assert films_in_order(make_physician()) == [raised.id, quiet.id]


def test_a_signed_study_leaves_the_queue() -> None:
    analysis = make_result()
    physician = make_physician()
    assert films_in_order(physician) == [analysis.film_id]
    sign_reading(analysis=analysis, by=physician, verdict="agree")
    assert films_in_order(physician) == []


def test_a_film_read_but_unsigned_stays_for_twelve_hours_after_the_patient_left() -> None:
    film = make_result().film
    close(film.visit)
    assert films_in_order(make_physician()) == [film.id]
    left_ago(Visit.objects.get(pk=film.visit_id), hours=13)
    assert films_in_order(make_physician()) == []


def test_a_refused_film_leaves_the_queue_when_a_new_one_comes() -> None:
    visit = make_visit()
    refused = make_refusal(make_film(visit)).film
    physician = make_physician()
    assert films_in_order(physician) == [refused.id]
    again = make_film(visit)
    Film.objects.filter(pk=again.pk).update(uploaded_at=timezone.now() + timedelta(seconds=1))
    make_result(again)
    (item,) = queue_for(physician).items
    assert [film.film_id for film in item.films] == [again.id]


def test_the_queue_is_asked_for_in_a_fixed_number_of_queries(
    django_assert_num_queries: object,
) -> None:
    for _ in range(3):
        make_result()
    user = make_physician()
    with django_assert_num_queries(5):  # type: ignore[operator]
        queue = queue_for(user)
        assert len(display.rows_of(queue.items, queue, people_in(queue.items), user)) == 3


def test_a_study_is_taken_released_and_taken_over_on_record() -> None:
    study = make_result().film.study_id
    first, second = make_physician(), make_radiologist()
    take_study(study_id=study, by=first)
    take_study(study_id=study, by=first)
    with pytest.raises(Conflict) as refused:
        take_study(study_id=study, by=second)
    assert refused.value.params["name"] == str(first)
    take_study(study_id=study, by=second, over=first.pk)
    assert holder_of(study).user == second  # type: ignore[union-attr]
    with pytest.raises(Conflict):
        release_study(study_id=study, by=first)
    release_study(study_id=study, by=second)
    assert holder_of(study) is None
    actions = Entry.objects.filter(action__startswith="study.").order_by("id")
    taken = ["study.take", "study.take", "study.release"]
    assert list(actions.values_list("action", flat=True)) == taken


def test_who_cannot_sign_takes_nothing() -> None:
    with pytest.raises(Forbidden):
        take_study(study_id=make_result().film.study_id, by=make_nurse())


@pytest.mark.django_db(transaction=True)
def test_of_many_who_take_at_once_one_has_it_and_all_others_are_told_who() -> None:
    study = make_result().film.study_id
    people = [make_physician() for _ in range(6)]
    start, refused = threading.Barrier(len(people)), []

    def take(user: object) -> None:
        try:
            start.wait()
            take_study(study_id=study, by=user)  # type: ignore[arg-type]
        except Conflict as error:
            refused.append(error.params["name"])
        finally:
            connection.close()

    threads = [threading.Thread(target=take, args=[user]) for user in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    holder = Hold.objects.get(study_id=study).user
    assert refused == [str(holder)] * (len(people) - 1)
    assert Study.objects.filter(hold__isnull=False).count() == 1


def test_a_study_of_somebody_who_left_long_ago_is_not_there_to_take() -> None:
    film = make_result().film
    close(film.visit)
    left_ago(Visit.objects.get(pk=film.visit_id), hours=24 * 30)
    with pytest.raises(NotFound):
        take_study(study_id=film.study_id, by=make_physician())


def test_a_study_taken_longer_ago_than_anybody_waits_can_be_taken() -> None:
    study, other = make_result().film.study_id, make_physician()
    take_study(study_id=study, by=make_physician())
    Hold.objects.update(taken_at=timezone.now() - timedelta(days=4))
    assert holder_of(study) is None
    take_study(study_id=study, by=other)
    hold = holder_of(study)
    assert hold is not None
    assert hold.user == other


def test_a_row_does_not_name_what_another_film_of_its_study_hides() -> None:
    physician, visit = make_physician(), make_visit()
    choose_first_look(by=physician, hide=True)
    looked = make_result(make_film(visit))
    make_result(make_film(visit), findings=[FindingRow("Mass", 0.9, 0.5, 1)])
    record_first_look(analysis=looked, by=physician, impression="abnormal")
    queue = queue_for(physician)
    (row,) = display.rows_of(queue.items, queue, people_in(queue.items), physician)
    assert row.finding.startswith("Pneumothorax")
    assert "Mass" not in f"{row.finding} {row.advice} {row.raised}"


def test_beyond_the_cap_the_least_urgent_are_counted_and_a_raised_one_never_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worklist.selectors.MOST_FILMS", 2)
    urgent = [make_result(make_film(make_visit(triage_level=2)), findings=[]) for _ in range(2)]
    left_out = make_result(make_film(make_visit(triage_level=4)), findings=[])
    raised = make_result(make_film(make_visit(triage_level=5)))
    physician = make_physician()
    queue = queue_for(physician)
    assert films_in_order(physician) == [raised.film_id, *(row.film_id for row in urgent)]
    assert queue.unlisted == 1
    long_ago = timezone.now() - timedelta(hours=5)
    Film.objects.filter(pk=left_out.film_id).update(uploaded_at=long_ago)
    assert left_out.film_id in films_in_order(physician)
    assert "1 more film waits" in client_of(physician).get("/worklist/").text
