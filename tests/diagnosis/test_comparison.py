"""A film beside an earlier one: what changed, in words."""

from typing import Any

import pytest

from diagnosis import comparison
from diagnosis.models import Analysis, Film
from policy.services import change_policy
from tests.accounts.factories import client_of, make_administrator, make_physician
from tests.diagnosis.factories import make_film, make_outcome, make_refusal, make_result

pytestmark = pytest.mark.django_db


def read_with(marked: set[str], film: Film | None = None, **values: Any) -> Analysis:
    """A result in which exactly these findings are marked."""
    rows = [
        row.__class__(row.code, 0.9 - row.rank / 100 if row.code in marked else 0.01, 0.5, row.rank)
        for row in make_outcome().findings
    ]
    return make_result(film or make_film(**values), findings=rows)


def test_what_is_new_gone_and_the_same_is_named() -> None:
    before = read_with({"Effusion", "Nodule"})
    now = read_with({"Effusion", "Pneumothorax"}, make_film(before.film.visit))
    assert comparison.compare(now, before.film).changes == [
        "Newly marked: Pneumothorax.",
        "No longer marked: Nodule.",
        "Marked on both: Effusion.",
    ]


def test_a_muted_finding_is_no_change() -> None:
    change_policy(by=make_administrator(), version=0, muted=frozenset({"Nodule"}))
    before = read_with({"Nodule"})
    now = read_with(set(), make_film(before.film.visit))
    assert comparison.compare(now, before.film).changes == ["Nothing is marked on either film."]


def test_other_views_and_releases_are_a_reason_for_care() -> None:
    before = read_with(set(), view="AP")
    now = read_with(set(), make_film(before.film.visit, view="PA"))
    Analysis.objects.filter(id=before.id).update(release="older")
    assert comparison.compare(now, before.film).caution == [
        "They were read by different releases.",
        "The views differ: AP before, PA now.",
    ]


def test_a_film_that_was_not_read_is_not_compared_in_words() -> None:
    now = read_with(set())
    before = make_refusal(make_film(now.film.visit))
    [sentence] = comparison.compare(now, before.film).changes
    assert "nothing can be compared" in sentence


def test_another_patients_film_is_never_compared() -> None:
    now, other = read_with(set()), read_with(set())
    answer = client_of(make_physician()).get(f"/films/{now.film_id}/prior/{other.film_id}/")
    assert answer.status_code == 404
