"""The site's rules as one value, and the form in which they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ml.vocabulary import NAMES

MOST_URGENT, LEAST_URGENT = 1, 5
MAX_WAIT_MINUTES = (5, 24 * 60)
# Words and colours: policy.triage; "" for plain numbers.
TRIAGE_SCALES = ("", "ktas", "esi", "mts", "ats")
# Time to notice that the wrong patient was deleted.
KEEP_LEAST_DAYS = 7
# Whoever comes again within this time finds their former films.
KEEP_LEAST_YEARS = 2


@dataclass(frozen=True)
class RaiseRule:
    """Up to which triage level a finding lifts a study.

    threshold: probability from which it does, 0..1; None for the finding's operating point
    """

    level: int
    threshold: float | None = None

    def __post_init__(self) -> None:
        if not MOST_URGENT <= self.level <= LEAST_URGENT:
            raise ValueError(f"no triage level: {self.level}")
        if self.threshold is not None and not 0.0 <= self.threshold <= 1.0:
            raise ValueError(f"no probability: {self.threshold}")


@dataclass(frozen=True)
class Policy:
    """What the site decided; the defaults hold until somebody decides otherwise.

    dangerous: findings shown before all others, in this order
    muted: findings that alert nobody
    raises: finding → how far it lifts a study in the worklist
    max_wait_minutes, aged_level: after this wait a study counts as of this level at least
    prevalence: finding → share of this site's films that have it, where it differs from the release
    triage_scale: one of TRIAGE_SCALES
    keep_deleted_days: after these a deleted patient is erased for good; None for never
    keep_years: so long after the last thing that happened in it a record is deleted; None for never
    release, shadow_release: names; "" for the newest, and for none
    """

    version: int = 0
    dangerous: tuple[str, ...] = ("Pneumothorax",)
    muted: frozenset[str] = frozenset()
    raises: Mapping[str, RaiseRule] = field(default_factory=lambda: {"Pneumothorax": RaiseRule(1)})
    max_wait_minutes: int = 60
    aged_level: int = 2
    triage_scale: str = ""
    hide_until_first_look: bool = False
    prevalence: Mapping[str, float] = field(default_factory=dict)
    keep_deleted_days: int | None = None
    keep_years: int | None = None
    release: str = ""
    shadow_release: str = ""

    def with_(self, **changes: Any) -> Policy:
        """Return the policy with these changes."""
        return replace(self, **changes)


def to_json(policy: Policy) -> dict[str, Any]:
    """Return the policy as it is stored, without its version."""
    return {
        "dangerous": list(policy.dangerous),
        "muted": sorted(policy.muted),
        "raises": {
            code: {"level": rule.level, "threshold": rule.threshold}
            for code, rule in policy.raises.items()
        },
        "max_wait_minutes": policy.max_wait_minutes,
        "aged_level": policy.aged_level,
        "triage_scale": policy.triage_scale,
        "hide_until_first_look": policy.hide_until_first_look,
        "prevalence": dict(policy.prevalence),
        "keep_deleted_days": policy.keep_deleted_days,
        "keep_years": policy.keep_years,
        "release": policy.release,
        "shadow_release": policy.shadow_release,
    }


def from_json(values: Mapping[str, Any], *, version: int) -> Policy:
    """Return the stored policy; what a later program added is left out, what is missing default."""
    known = {name: values[name] for name in to_json(Policy()) if name in values}
    for name, kind in (("dangerous", tuple), ("muted", frozenset)):
        if name in known:
            known[name] = kind(known[name])
    if "raises" in known:
        known["raises"] = {code: RaiseRule(**rule) for code, rule in known["raises"].items()}
    return Policy(version=version, **known)


def check(policy: Policy) -> None:
    """Raise ValueError where a value lies outside of what the rules allow."""
    codes = {*policy.dangerous, *policy.muted, *policy.raises, *policy.prevalence}
    if unknown := codes - set(NAMES):
        raise ValueError(f"no findings: {sorted(unknown)}")
    low, high = MAX_WAIT_MINUTES
    if not low <= policy.max_wait_minutes <= high:
        raise ValueError(f"no maximum wait: {policy.max_wait_minutes}")
    if policy.keep_deleted_days is not None and policy.keep_deleted_days < KEEP_LEAST_DAYS:
        raise ValueError(f"no time to keep: {policy.keep_deleted_days}")
    if policy.keep_years is not None and policy.keep_years < KEEP_LEAST_YEARS:
        raise ValueError(f"no time to keep records: {policy.keep_years}")
    if policy.triage_scale not in TRIAGE_SCALES:
        raise ValueError(f"no triage scale: {policy.triage_scale}")
    if not MOST_URGENT <= policy.aged_level <= LEAST_URGENT:
        raise ValueError(f"no triage level: {policy.aged_level}")
    if any(not 0.0 < share < 1.0 for share in policy.prevalence.values()):
        raise ValueError("a prevalence lies between 0 and 1")
