"""The site's rules: what may be decided, version by version."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.roles import Role
from audit.models import Entry
from ml.vocabulary import NAMES
from policy.models import PolicyVersion
from policy.rules import Policy, RaiseRule, check, from_json, to_json
from policy.selectors import present
from policy.services import change_policy
from tests.accounts.factories import make_administrator, make_physician
from tests.worklist.test_priority import policies
from xraydx.errors import Conflict, Forbidden


@given(policies)
def test_rules_come_back_as_they_were_stored(policy: Policy) -> None:
    assert from_json(to_json(policy), version=policy.version) == policy


@given(st.dictionaries(st.text(max_size=8), st.integers(), max_size=3))
def test_what_another_program_stored_does_no_harm(values: dict[str, int]) -> None:
    assert from_json({f"x{name}": value for name, value in values.items()}, version=1).version == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"muted": frozenset({"Nothing"})},
        {"max_wait_minutes": 0},
        {"aged_level": 6},
        {"prevalence": {NAMES[0]: 1.0}},
    ],
)
def test_rules_that_make_no_sense_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        check(Policy().with_(**changes))


@pytest.mark.django_db
def test_a_change_is_a_further_version_and_on_record_without_values() -> None:
    admin = make_administrator()
    assert present() == Policy()
    change_policy(by=admin, version=0, max_wait_minutes=30)
    change_policy(by=admin, version=1, raises={"Mass": RaiseRule(3, 0.7)})
    assert (present().max_wait_minutes, present().raises["Mass"].threshold) == (30, 0.7)
    assert PolicyVersion.objects.count() == 2
    entries = Entry.objects.filter(action="policy.change").order_by("id")
    assert [entry.detail["fields"] for entry in entries] == [["max_wait_minutes"], ["raises"]]


@pytest.mark.django_db
def test_nothing_changed_is_no_version() -> None:
    change_policy(by=make_administrator(), version=0, max_wait_minutes=Policy().max_wait_minutes)
    assert not PolicyVersion.objects.exists()


@pytest.mark.django_db
def test_of_two_who_change_the_same_version_the_second_is_asked() -> None:
    admin = make_administrator()
    change_policy(by=admin, version=0, max_wait_minutes=30)
    with pytest.raises(Conflict):
        change_policy(by=admin, version=0, max_wait_minutes=40)


@pytest.mark.django_db
def test_only_administrators_decide() -> None:
    assert make_administrator().role == Role.ADMINISTRATOR
    with pytest.raises(Forbidden):
        change_policy(by=make_physician(), version=0, max_wait_minutes=30)
