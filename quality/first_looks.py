"""What people saw before the networks' reading was shown, beside that and what they signed."""

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from accounts.models import User
from accounts.permissions import Capability, require
from diagnosis.models import Finding, FirstLook, Reading
from diagnosis.selectors import is_marked
from diagnosis.states import Status
from policy.selectors import present

MOST_ROWS = 20_000
NORMAL, ABNORMAL, UNSURE = FirstLook.Impression.values


@dataclass(frozen=True)
class FirstLooks:
    """Counts of one period.

    same: said as the networks, of films with and without marks; network_more, network_less: it
        marked what the person called normal, or marked nothing that they saw; unsure: said neither
    signed: of all, with a signature by the same person that says normal or not
    kept, followed, otherwise: of signed, ended as the first look; as the networks, against the
        first look; as neither; decided: had been unsure
    """

    same: int
    network_more: int
    network_less: int
    unsure: int
    kept: int
    followed: int
    otherwise: int
    decided: int

    @property
    def looks(self) -> int:
        return self.same + self.network_more + self.network_less + self.unsure

    @property
    def definite(self) -> int:
        return self.looks - self.unsure

    @property
    def signed(self) -> int:
        return self.kept + self.changed + self.decided

    @property
    def changed(self) -> int:
        return self.followed + self.otherwise


def first_looks(user: User, days: int) -> FirstLooks:
    """Return the counts of the last days."""
    require(user, Capability.view_quality)
    since = timezone.now() - timedelta(days=days)
    looks = _looks(since)
    ids = {row.analysis_id for row in looks}
    marked, signed = _marked(ids), _signed(ids)
    counts: Counter[str] = Counter()
    for row in looks:
        codes = marked.get(row.analysis_id, set())
        counts[beside_network(row.impression, codes)] += 1
        reading = signed.get((row.analysis_id, row.user_id))
        ended = ending(reading, codes) if reading else None
        if ended:
            counts[beside_signature(row.impression, codes, ended)] += 1
    return FirstLooks(**{name: counts[name] for name in FirstLooks.__dataclass_fields__})


def beside_network(impression: str, marked: Collection[str]) -> str:
    """Name the count of FirstLooks that a first look beside what was marked belongs to."""
    if impression == UNSURE:
        return "unsure"
    if (impression == ABNORMAL) == bool(marked):
        return "same"
    return "network_more" if marked else "network_less"


def beside_signature(impression: str, marked: Collection[str], ended: str) -> str:
    """Name the count of FirstLooks that a signature belongs to; ended: normal or abnormal."""
    if impression == UNSURE:
        return "decided"
    if impression == ended:
        return "kept"
    return "followed" if (ended == ABNORMAL) == bool(marked) else "otherwise"


def ending(reading: Reading, marked: Collection[str]) -> str | None:
    """Whether the signed reading calls the film normal or abnormal; None where that is open."""
    verdicts = set(reading.findings.values())
    if reading.added or Reading.Verdict.AGREE in verdicts:
        return ABNORMAL
    if Reading.Verdict.UNSURE in {reading.verdict, *verdicts}:
        return None
    if verdicts:  # all disagreed with
        return NORMAL
    agreed = reading.verdict == Reading.Verdict.AGREE
    return ABNORMAL if bool(marked) == agreed else NORMAL


def _looks(since: datetime) -> list[FirstLook]:
    rows = FirstLook.objects.filter(looked_at__gte=since, analysis__status=Status.SUCCEEDED)
    return list(rows.order_by("-looked_at")[:MOST_ROWS])


def _marked(analysis_ids: Collection[UUID]) -> dict[UUID, set[str]]:
    """Return what was marked for people to see: what the site mutes was not."""
    policy, found = present(), defaultdict(set)
    for row in Finding.objects.filter(analysis_id__in=analysis_ids, above=True):
        if is_marked(row, policy):
            found[row.analysis_id].add(row.code)
    return found


def _signed(analysis_ids: Collection[UUID]) -> dict[tuple[UUID, UUID], Reading]:
    """Return each person's last version."""
    rows = Reading.objects.filter(analysis_id__in=analysis_ids).order_by("version")
    return {(row.analysis_id, row.signed_by_id): row for row in rows}
