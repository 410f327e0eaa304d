"""How urgent a study is: triage, what the networks found, how long it has waited.

Pure: no rows, no clock. The software raises a study and never lowers one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from policy.rules import Policy, RaiseRule


@dataclass(frozen=True)
class Found:
    """One finding on one of the study's films.

    probability: calibrated, 0..1; above: whether it passes its operating point
    """

    code: str
    probability: float
    above: bool


@dataclass(frozen=True)
class Waiting:
    """What is known of a study that nobody signed yet; since: its oldest unread film came."""

    study_id: UUID
    triage: int
    since: datetime
    found: tuple[Found, ...] = ()


@dataclass(frozen=True)
class Priority:
    """level: 1 is the most urgent; raised_by: the finding that did it; aged: waited long."""

    level: int
    raised_by: str = ""
    aged: bool = False


def priority_of(study: Waiting, policy: Policy, now: datetime) -> Priority:
    """Return how urgent the study is under these rules at this moment."""
    raising = _raising(study.found, policy)
    aged = now - study.since >= timedelta(minutes=policy.max_wait_minutes)
    level = study.triage
    if raising is not None:
        level = min(level, raising[0])
    if aged:
        level = min(level, policy.aged_level)
    return Priority(level, raised_by=raising[1] if raising else "", aged=aged)


def in_order(
    studies: Iterable[Waiting], policy: Policy, now: datetime
) -> list[tuple[Waiting, Priority]]:
    """Return the studies with their priorities: by level, then who waits longest."""
    rated = [(study, priority_of(study, policy, now)) for study in studies]
    return sorted(rated, key=lambda pair: (pair[1].level, pair[0].since, pair[0].study_id))


def _raising(found: Iterable[Found], policy: Policy) -> tuple[int, str] | None:
    """Return level and code of the finding that raises furthest, the dangerous ones first."""
    hits = [
        (policy.raises[one.code].level, _danger(one.code, policy), -one.probability, one.code)
        for one in found
        if one.code not in policy.muted and _passes(one, policy.raises)
    ]
    if not hits:
        return None
    level, _danger_rank, _probability, code = min(hits)
    return level, code


def _passes(one: Found, raises: Mapping[str, RaiseRule]) -> bool:
    rule = raises.get(one.code)
    if rule is None:
        return False
    return one.above if rule.threshold is None else one.probability >= rule.threshold


def _danger(code: str, policy: Policy) -> int:
    names = policy.dangerous
    return names.index(code) if code in names else len(names)
