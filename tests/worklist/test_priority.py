"""The order of the worklist: the software raises, never lowers, and nobody waits for ever."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ml.vocabulary import NAMES
from policy.rules import Policy, RaiseRule
from worklist.priority import Found, Waiting, in_order, priority_of

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
levels = st.integers(1, 5)
shares = st.floats(0.0, 1.0)
codes = st.sampled_from(NAMES)
findings = st.builds(Found, code=codes, probability=shares, above=st.booleans())
studies = st.builds(
    Waiting,
    study_id=st.uuids(),
    triage=levels,
    since=st.integers(0, 3000).map(lambda minutes: NOW - timedelta(minutes=minutes)),
    found=st.lists(findings, max_size=4).map(tuple),
)
queues = st.lists(studies, max_size=12, unique_by=lambda study: study.study_id)
rules = st.builds(RaiseRule, level=levels, threshold=st.none() | shares)
policies = st.builds(
    Policy,
    raises=st.dictionaries(codes, rules, max_size=5),
    muted=st.frozensets(codes, max_size=3),
    max_wait_minutes=st.integers(5, 1440),
    aged_level=levels,
)


def places(queue: list[Waiting], policy: Policy) -> dict[UUID, int]:
    ordered = in_order(queue, policy, NOW)
    return {study.study_id: place for place, (study, _) in enumerate(ordered)}


def silent(study: Waiting) -> Waiting:
    return Waiting(study.study_id, study.triage, study.since)


@given(studies, policies)
def test_the_software_never_lowers_a_study(study: Waiting, policy: Policy) -> None:
    assert priority_of(study, policy, NOW).level <= study.triage


@given(queues.filter(bool), policies, st.data())
def test_what_the_networks_find_never_moves_a_study_back(
    queue: list[Waiting], policy: Policy, data: st.DataObject
) -> None:
    chosen = data.draw(st.sampled_from(queue))
    others = [study for study in queue if study is not chosen]
    without = places([*others, silent(chosen)], policy)
    found = places([*others, chosen], policy)
    assert found[chosen.study_id] <= without[chosen.study_id]


@given(queues, policies)
def test_after_the_maximum_wait_only_more_urgent_or_longer_waits_stand_before(
    queue: list[Waiting], policy: Policy
) -> None:
    ordered = in_order(queue, policy, NOW)
    limit = timedelta(minutes=policy.max_wait_minutes)
    for place, (study, _) in enumerate(ordered):
        if NOW - study.since < limit:
            continue
        for other, priority in ordered[:place]:
            assert priority.level < policy.aged_level or other.since <= study.since


@given(queues, policies, st.integers(0, 600))
def test_waiting_on_never_loses_a_place_to_a_study_that_comes_later(
    queue: list[Waiting], policy: Policy, minutes: int
) -> None:
    later = NOW + timedelta(minutes=minutes)
    for study in queue:
        assert priority_of(study, policy, later).level <= priority_of(study, policy, NOW).level


def test_a_muted_finding_raises_nothing() -> None:
    found = (Found("Pneumothorax", 0.9, above=True),)
    study = Waiting(UUID(int=1), 4, NOW, found)
    assert priority_of(study, Policy(), NOW).level == 1
    assert priority_of(study, Policy(muted=frozenset({"Pneumothorax"})), NOW).level == 4


def test_the_site_chooses_from_which_probability_a_finding_raises() -> None:
    study = Waiting(UUID(int=1), 4, NOW, (Found("Mass", 0.5, above=True),))
    assert priority_of(study, Policy(raises={"Mass": RaiseRule(1, 0.6)}), NOW).raised_by == ""
    assert priority_of(study, Policy(raises={"Mass": RaiseRule(1, 0.5)}), NOW).raised_by == "Mass"
