"""First looks and signed readings: what is kept, what is refused, what never changes."""

from typing import Any

import pytest

from accounts.models import User
from audit.models import Entry
from diagnosis import readings
from diagnosis.models import Analysis, FirstLook, Reading
from diagnosis.readings import Added
from policy.services import change_policy
from tests.accounts.factories import (
    client_of,
    make_administrator,
    make_nurse,
    make_physician,
    make_radiologist,
)
from tests.diagnosis.factories import make_film, make_result
from xraydx.errors import Conflict, Forbidden, UserError

pytestmark = pytest.mark.django_db


def hider() -> User:
    """A physician who looks first."""
    physician = make_physician()
    readings.choose_first_look(by=physician, hide=True)
    return physician


@pytest.mark.parametrize(
    ("verdicts", "added", "whole"),
    [
        ({"Effusion": "agree", "Pneumothorax": "agree"}, [], "agree"),
        ({"Effusion": "agree", "Pneumothorax": "disagree"}, [], "disagree"),
        ({"Effusion": "agree", "Pneumothorax": "unsure"}, [], "unsure"),
        ({"Effusion": "agree"}, [Added("Nodule", box=(0.1, 0.1, 0.2, 0.2))], "disagree"),
    ],
)
def test_the_verdict_on_the_whole_follows_from_the_findings(
    verdicts: dict[str, str], added: list[Added], whole: str
) -> None:
    reading = readings.sign_reading(
        analysis=make_result(), by=make_physician(), findings=verdicts, added=added
    )
    assert reading.verdict == whole
    assert len(reading.added) == len(added)


@pytest.mark.parametrize(
    "item",
    [
        Added("Broken_Rib"),
        Added("other"),
        Added("Nodule", words="x" * 121),
        Added("Nodule", box=(0.2, 0.1, 0.1, 0.3)),
        Added("Nodule", box=(0.9, 0.1, 1.2, 0.3)),
    ],
    ids=["unknown", "other without words", "too many words", "turned box", "box beside the film"],
)
def test_an_added_finding_must_be_whole(item: Added) -> None:
    with pytest.raises(UserError, match="added_invalid"):
        readings.sign_reading(analysis=make_result(), by=make_physician(), added=[item])
    assert not Reading.objects.exists()


def test_a_reading_says_something_of_the_film() -> None:
    with pytest.raises(UserError, match="verdict_unknown"):
        readings.sign_reading(analysis=make_result(), by=make_physician(), report="All fine.")


def test_an_amendment_is_a_further_version_and_the_first_stays() -> None:
    analysis, physician = make_result(), make_physician()
    for report in ("Effusion.", "Effusion, small."):
        readings.sign_reading(
            analysis=analysis, by=physician, findings={"Effusion": "agree"}, report=report
        )
    said = analysis.readings.order_by("version").values_list("version", "report")
    assert list(said) == [(1, "Effusion."), (2, "Effusion, small.")]


def test_nobody_signs_over_a_reading_that_they_have_not_seen() -> None:
    analysis = make_result()
    sent: dict[str, Any] = {"analysis": analysis, "findings": {"Effusion": "agree"}}
    readings.sign_reading(by=make_physician(), after_version=0, **sent)
    with pytest.raises(Conflict, match="signed_meanwhile"):
        readings.sign_reading(by=make_radiologist(), after_version=0, **sent)
    assert analysis.readings.count() == 1


def test_a_second_signature_is_told_in_place_and_keeps_what_was_typed() -> None:
    analysis = make_result()
    readings.sign_reading(analysis=analysis, by=make_physician(), verdict="agree")
    answer = client_of(make_radiologist()).post(
        f"/analyses/{analysis.id}/sign/",
        {"finding-Effusion": "unsure", "report": "Hazy left base.", "after_version": "0"},
        headers={"HX-Request": "true"},
    )
    assert answer.status_code == 409
    assert "Somebody else has signed" in answer.text
    assert "Hazy left base." in answer.text


def test_the_networks_reading_waits_for_the_first_look_and_is_shown_after_it() -> None:
    analysis, physician = make_result(), hider()
    client = client_of(physician)
    before = client.get(f"/films/{analysis.film_id}/").text
    assert "Your first look" in before
    assert "0.71" not in before
    assert "Pneumothorax 0.22" not in before
    assert client.get(f"/analyses/{analysis.id}/report/").status_code == 404
    for address in (f"/patients/{analysis.film.patient_id}/", _row_of(analysis)):
        assert "Pneumothorax" not in client.get(address).text
    client.post(
        f"/analyses/{analysis.id}/first-look/",
        {"impression": "abnormal", "codes": ["Effusion"]},
    )
    assert "0.71" in client.get(f"/films/{analysis.film_id}/").text
    look = FirstLook.objects.get()
    assert (look.user, look.impression, look.codes) == (physician, "abnormal", ["Effusion"])
    assert Entry.objects.filter(action="first_look.record", actor_id=physician.id).exists()


def _row_of(analysis: Analysis) -> str:
    return f"/analyses/{analysis.id}/status/?as=row"


def test_a_comparison_does_not_give_away_what_waits_for_the_first_look() -> None:
    older = make_result()
    newer = make_result(make_film(older.film.visit))
    physician = hider()
    client = client_of(physician)
    address = f"/films/{older.film_id}/prior/{newer.film_id}/"
    readings.record_first_look(analysis=older, by=physician, impression="normal")
    assert client.get(address).status_code == 404
    readings.record_first_look(analysis=newer, by=physician, impression="normal")
    assert client.get(address).status_code == 200


def test_a_first_look_cannot_be_taken_back() -> None:
    analysis, physician = make_result(), make_physician()
    for impression in ("normal", "abnormal"):
        readings.record_first_look(analysis=analysis, by=physician, impression=impression)
    assert FirstLook.objects.get().impression == "normal"


def test_the_site_decides_for_those_who_chose_nothing_and_nobody_else() -> None:
    change_policy(by=make_administrator(), version=0, hide_until_first_look=True)
    undecided, decided = make_physician(), make_physician()
    readings.choose_first_look(by=decided, hide=False)
    analysis = make_result()
    assert readings.is_hidden_from(undecided, analysis)
    assert not readings.is_hidden_from(decided, analysis)
    assert not readings.is_hidden_from(make_nurse(), analysis)


def test_a_nurse_records_no_first_look() -> None:
    with pytest.raises(Forbidden):
        readings.record_first_look(analysis=make_result(), by=make_nurse(), impression="normal")


@pytest.mark.parametrize(
    "added",
    [
        '[{"code": "other", "words": "a\\u0000b"}]',
        '[{"code": "other", "words": "a\\ud800b"}]',
        '[{"code": "Nodule", "box": [NaN, 0, Infinity, 1]}]',
        '[{"code": "Nodule", "box": [' + "9" * 5000 + ", 0, 1, 1]}]",
        '[{"code": "Nodule", "box": [' + "9" * 400 + ", 0, 1, 1]}]",
        "[" * 19_000,
        "[" * 100_000,
    ],
    ids=["nul", "half a letter", "no number", "endless number", "large", "deep", "long"],
)
def test_what_was_missed_comes_in_no_form_that_breaks_the_page(added: str) -> None:
    analysis = make_result()
    answer = client_of(make_physician()).post(
        f"/analyses/{analysis.id}/sign/", {"added": added, "report": "Nodule."}
    )
    assert answer.status_code == 422
    assert not Reading.objects.exists()


def test_a_signature_sent_again_because_its_answer_was_lost_is_answered_and_not_repeated() -> None:
    analysis, physician = make_result(), make_physician()
    sent = {"finding-Effusion": "agree", "report": "Effusion.", "after_version": "0"}
    client, address = client_of(physician), f"/analyses/{analysis.id}/sign/"
    for _ in range(2):
        assert client.post(address, sent, headers={"HX-Request": "true"}).status_code == 200
    assert analysis.readings.count() == 1
    assert Entry.objects.filter(action="reading.sign", actor_id=physician.id).count() == 1
    other = {**sent, "report": "No effusion."}
    assert client.post(address, other, headers={"HX-Request": "true"}).status_code == 409


def test_a_signed_reading_names_its_findings_verdict_by_verdict() -> None:
    analysis, physician = make_result(), make_physician()
    said = {"Pneumothorax": "disagree", "Effusion": "agree"}
    readings.sign_reading(analysis=analysis, by=physician, findings=said)
    text = client_of(physician).get(f"/films/{analysis.film_id}/").text
    assert "Agree: Effusion. Disagree: Pneumothorax" in text


def test_a_new_signature_is_told_to_others_and_not_to_who_signed() -> None:
    analysis, signer = make_result(), make_physician(full_name="Kim Ara")
    readings.sign_reading(analysis=analysis, by=signer, verdict="agree")
    told = "Kim Ara has signed a reading"
    for person, is_told in ((make_radiologist(), True), (signer, False)):
        sent = {"open": "1", "version": "0", "analysis": str(analysis.id)}
        answer = client_of(person).post(f"/films/{analysis.film_id}/others/", sent)
        assert (told in answer.text) is is_told
