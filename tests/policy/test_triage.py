"""Triage in the site's own scale: words and colours wherever a level is shown."""

from itertools import pairwise

import pytest

from policy.rules import TRIAGE_SCALES
from policy.services import change_policy
from policy.triage import SCALES
from tests.accounts.factories import client_of, make_administrator, make_nurse, make_physician
from tests.diagnosis.factories import make_film, make_result
from tests.patients.factories import make_visit

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("code", [code for code in TRIAGE_SCALES if code])
def test_every_level_of_a_scale_has_its_own_word_and_colour(code: str) -> None:
    levels = SCALES[code].levels
    assert [level.number for level in levels] == [1, 2, 3, 4, 5]
    assert len({str(level.word) for level in levels}) == 5
    assert len({level.colour for level in levels}) == 5


def test_without_a_scale_levels_are_plain_numbers() -> None:
    visit = make_visit(triage_level=2)
    text = client_of(make_nurse()).get(f"/visits/{visit.id}/").text
    assert "triage-is-plain" in text
    assert "Very urgent" not in text


def test_the_scales_words_stand_wherever_a_level_is_shown() -> None:
    film = make_film()
    make_result(film)
    film.visit.triage_level = 2
    film.visit.save(update_fields=["triage_level"])
    change_policy(by=make_administrator(), version=0, triage_scale="mts")
    physician = client_of(make_physician())
    places = {
        "worklist": "/worklist/",
        "patients": "/patients/?status=all",
        "patient": f"/patients/{film.patient_id}/",
        "visit": f"/visits/{film.visit_id}/",
        "reading view": f"/films/{film.id}/",
        "sending": f"/visits/{film.visit_id}/films/",
    }
    for place, address in places.items():
        text = physician.get(address).text
        assert "triage-is-orange" in text, place
        assert "Very urgent" in text, place


def test_registration_offers_the_words_in_the_order_of_urgency() -> None:
    change_policy(by=make_administrator(), version=0, triage_scale="ktas")
    text = client_of(make_nurse()).get("/patients/register/").text
    words = ["Resuscitation", "Emergent", "Urgent", "Less urgent", "Non-urgent"]
    places = [text.index(f"</span> {word}</label>") for word in words]
    assert all(a < b for a, b in pairwise(places))
    assert "<legend>KTAS</legend>" in text


def test_the_administrator_chooses_the_scale_and_sees_its_words() -> None:
    client = client_of(make_administrator())
    change_policy(by=make_administrator(), version=0, triage_scale="ats")
    text = client.get("/site/").text
    assert '<option value="ats" selected>' in text
    assert "Semi-urgent" in text


def test_a_scale_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="triage scale"):
        change_policy(by=make_administrator(), version=0, triage_scale="colours")
