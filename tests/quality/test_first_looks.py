"""First looks, beside what the networks marked and what was signed."""

from typing import Any

import pytest

from accounts.models import User
from diagnosis.models import Analysis, Reading
from diagnosis.readings import Added, sign_reading
from diagnosis.readings import record_first_look as look
from policy.services import change_policy
from quality.first_looks import FirstLooks, ending, first_looks
from tests.accounts.factories import (
    client_of,
    make_administrator,
    make_physician,
    make_radiologist,
)
from tests.diagnosis.factories import findings_with, make_result

NONE: dict[str, float] = {}


@pytest.fixture
def kim() -> User:
    """A physician who looks first."""
    return make_physician()


def film(marked: dict[str, float] = NONE) -> Analysis:
    return make_result(findings=findings_with(marked))


def counts(**values: int) -> FirstLooks:
    names = FirstLooks.__dataclass_fields__
    return FirstLooks(**dict.fromkeys(names, 0) | values)


@pytest.mark.django_db
def test_looks_are_counted_beside_what_was_marked(kim: User) -> None:
    marked, clean = {"Effusion": 0.8}, NONE
    for impression, marks in [
        ("abnormal", marked), ("normal", clean), ("normal", marked), ("abnormal", clean),
        ("unsure", marked),
    ]:  # fmt: skip
        look(analysis=film(marks), by=kim, impression=impression)
    found = first_looks(make_radiologist(), 30)
    assert found == counts(same=2, network_more=1, network_less=1, unsure=1)
    assert (found.looks, found.definite, found.signed) == (5, 4, 0)


@pytest.mark.django_db
def test_a_change_after_seeing_is_counted_by_its_direction(kim: User) -> None:
    def read(impression: str, marks: dict[str, float], **signed: Any) -> None:
        analysis = film(marks)
        look(analysis=analysis, by=kim, impression=impression)
        sign_reading(analysis=analysis, by=kim, **signed)

    marked = {"Effusion": 0.8}
    read("abnormal", marked, findings={"Effusion": "agree"})
    read("normal", marked, findings={"Effusion": "agree"})
    read("abnormal", marked, findings={"Effusion": "disagree"})
    read("normal", NONE, verdict="disagree", added=[Added("Nodule")])
    read("unsure", marked, findings={"Effusion": "disagree"})
    found = first_looks(make_radiologist(), 30)
    assert (found.kept, found.followed, found.otherwise, found.decided) == (1, 1, 2, 1)
    assert (found.signed, found.changed) == (5, 3)


@pytest.mark.django_db
def test_anothers_signature_says_nothing_of_a_first_look(kim: User) -> None:
    analysis = film()
    look(analysis=analysis, by=kim, impression="normal")
    sign_reading(analysis=analysis, by=make_physician(), verdict="disagree")
    assert first_looks(make_radiologist(), 30).signed == 0


@pytest.mark.django_db
def test_what_the_site_mutes_was_marked_for_nobody(kim: User) -> None:
    look(analysis=film({"Fibrosis": 0.8}), by=kim, impression="normal")
    change_policy(by=make_administrator(), version=0, muted=frozenset({"Fibrosis"}))
    assert first_looks(make_radiologist(), 30).same == 1


@pytest.mark.parametrize(
    ("values", "marked", "ended"),
    [
        ({"verdict": "agree"}, set(), "normal"),
        ({"verdict": "disagree"}, set(), "abnormal"),
        ({"verdict": "agree", "findings": {"Mass": "agree"}}, {"Mass"}, "abnormal"),
        ({"verdict": "disagree", "findings": {"Mass": "disagree"}}, {"Mass"}, "normal"),
        ({"verdict": "unsure", "findings": {"Mass": "unsure"}}, {"Mass"}, None),
    ],
)
def test_a_signature_calls_the_film_normal_or_not_or_leaves_it_open(
    values: dict[str, Any], marked: set[str], ended: str | None
) -> None:
    assert ending(Reading(**values), marked) == ended


@pytest.mark.django_db
def test_the_page_says_it_in_plain_words(kim: User) -> None:
    page = client_of(make_radiologist())
    assert "No first looks in this period" in page.get("/quality/").text
    analysis = film({"Effusion": 0.8})
    look(analysis=analysis, by=kim, impression="normal")
    text = page.get("/quality/").text
    assert "Of 1 first look that said normal or not, 0 agreed with the network (0 %)." in text
    assert "None of them is signed yet." in text
    sign_reading(analysis=analysis, by=kim, findings={"Effusion": "agree"})
    text = page.get("/quality/").text
    assert "Of 1 that was signed, 1 ended otherwise than the first look had it." in text
    assert "changed, to what the network had" in text
