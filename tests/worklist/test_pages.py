"""The worklist's page and its live part."""

import re
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from diagnosis.models import Film, FirstLook, Study
from policy.services import change_policy
from tests.accounts.factories import (
    client_of,
    make_administrator,
    make_nurse,
    make_physician,
    make_radiologist,
)
from tests.diagnosis.factories import make_analysis, make_film, make_refusal, make_result
from tests.patients.factories import make_patient, make_visit
from worklist.services import take_study

pytestmark = pytest.mark.django_db
COPIED = ("visit", "patient", "size", "format", "width", "height", "uploaded_by", "uploaded_at")
LIST, CHANGES, FILTER = "/worklist/", "/worklist/changes/", "/worklist/filter/"


def page(client: Client) -> str:
    return client.get(LIST).content.decode()


def known(text: str) -> list[str]:
    return re.findall(r'name="known" form="live" value="([^"]+)"', text)


def make_named(family: str, **visit: object) -> Film:
    return make_film(make_visit(make_patient(family_name=family, given_name="Ara"), **visit))


def test_home_is_the_worklist() -> None:
    assert client_of(make_physician()).get("/").headers["Location"] == LIST


def test_a_row_says_who_waits_what_was_found_and_why_it_was_raised() -> None:
    make_result(make_named("Kim"))
    text = page(client_of(make_physician()))
    assert "Kim, Ara" in text
    assert "Pneumothorax 0.22" in text
    assert "triage 3 counts as 1" in text


def test_a_refused_film_says_why_and_what_to_do() -> None:
    make_refusal(reason="lateral")
    assert 'state-refused">refused' in page(client_of(make_nurse()))


def test_the_machine_stays_silent_where_the_site_wants_a_first_look() -> None:
    admin = make_administrator()
    change_policy(by=admin, version=0, hide_until_first_look=True)
    analysis = make_result(make_named("Kim"))
    physician = make_physician()
    text = page(client_of(physician))
    assert "Pneumothorax" not in text
    assert "Raised by the software" in text
    FirstLook.objects.create(analysis=analysis, user=physician, impression="unsure")
    assert "Pneumothorax" in page(client_of(physician))


def test_an_empty_list_and_an_empty_tab_say_different_things() -> None:
    client = client_of(make_physician())
    assert "No film waits for a reader" in page(client)
    client.post(FILTER, {"show": "mine"})
    assert "No study matches" in page(client)


def test_filters_stay_in_the_session_and_leave_no_name_in_an_address() -> None:
    make_result(make_named("Kim", area="A4"))
    make_result(make_named("Park", area="B1"))
    client = client_of(make_physician())
    answer = client.post(FILTER, {"text": "kim"})
    assert answer.headers["Location"] == LIST
    assert "Kim, Ara" in page(client)
    assert "Park, Ara" not in page(client)
    client.post(FILTER, {"clear": "1"})
    client.post(FILTER, {"area": "B1"})
    assert "Kim, Ara" not in page(client)
    assert "Park, Ara" in page(client)


def test_changed_values_come_in_place_and_new_rows_are_only_announced() -> None:
    film = make_named("Kim")
    analysis = make_analysis(film)
    client = client_of(make_physician())
    before = known(page(client))
    still = client.post(CHANGES, {"known": before}).content.decode()
    assert "hx-swap-oob" in still
    assert "<tr" not in still
    analysis.delete()
    make_result(film)
    make_result(make_named("Vo"))
    text = client.post(CHANGES, {"known": before}).content.decode()
    assert f'<tr id="row-{film.study_id}" hx-swap-oob="true" class="is-raised">' in text
    assert "1 new film – show" in text
    assert 'data-critical="2"' in text
    assert "Vo, Ara" not in text


def test_a_row_that_left_is_marked_done_and_not_removed() -> None:
    film = make_result(make_named("Kim")).film
    client = client_of(make_physician())
    before = known(page(client))
    film.deleted_at = film.uploaded_at
    film.save()
    text = client.post(CHANGES, {"known": before}).content.decode()
    assert f'id="state-{film.study_id}" hx-swap-oob="true"' in text
    assert f"{film.study_id}:gone:0" in text


def test_the_second_who_takes_is_told_who_has_it() -> None:
    study = make_result().film.study_id
    take_study(study_id=study, by=make_physician(full_name="Park Jin"))
    client = client_of(make_radiologist())
    answer = client.post(reverse("worklist:take", args=[study]), headers={"HX-Request": "true"})
    assert answer.status_code == 409
    assert "Park Jin took this study at" in answer.content.decode()


def test_after_a_signature_the_next_free_study_is_one_key_away_and_names_nobody() -> None:
    signed = make_result(make_named("Kim"))
    held = make_result(make_named("Lee", triage_level=1))
    free = make_result(make_named("Park", triage_level=4))
    take_study(study_id=held.film.study_id, by=make_physician())
    client = client_of(make_physician())
    sent = {"verdict": "agree", "after_version": "0"}
    address = f"/analyses/{signed.id}/sign/"
    answer = client.post(address, sent, headers={"HX-Request": "true"}).text
    assert f'href="/films/{free.film_id}/" data-autofocus' in answer
    assert "Park" not in answer
    assert f"/films/{held.film_id}/" not in answer


def test_nonsense_from_the_page_changes_nothing() -> None:
    client = client_of(make_physician())
    assert client.post(CHANGES, {"known": ["", "a:b:c", "x" * 5000]}).status_code == 200
    assert client.post(FILTER, {"show": "nothing"}).status_code == 422


def test_hundreds_of_rows_come_fifty_at_a_time() -> None:
    film = make_named("Kim")
    studies = Study.objects.bulk_create(
        Study(visit=film.visit, study_uid=str(number)) for number in range(60)
    )
    films = [copy(film, study) for study in studies]
    for row in Film.objects.bulk_create(films):
        make_analysis(row)
    make_analysis(film)
    client = client_of(make_physician())
    text = page(client)
    assert len(known(text)) == 50
    assert "The 50 most urgent of 61 are shown." in text
    assert len(known(client.get(f"{LIST}?rows=100").content.decode())) == 61


def test_a_study_raised_below_the_rows_of_the_page_is_announced_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worklist.views.ROWS", 1)
    monkeypatch.setattr("worklist.views.MOST_ROWS", 500)
    make_result(make_named("Kim", triage_level=1), findings=[])
    make_result(make_named("Lee", triage_level=4))
    client = client_of(make_physician())
    text = page(client)
    told = re.findall(r'name="raised" value="([^"]*)"', text)
    sent = {"known": known(text), "raised": told}
    assert "raised by the software" not in client.post(CHANGES, sent).text
    make_result(make_named("Park", triage_level=5))
    answer = client.post(CHANGES, sent).text
    assert "1 raised by the software" in answer
    assert "?rows=3" in answer


def copy(film: Film, study: Study) -> Film:
    """Return an unsaved film of another study, of other bytes."""
    values = {name: getattr(film, name) for name in COPIED}
    return Film(study=study, sha256=f"{uuid4().hex}{uuid4().hex}", **values)
