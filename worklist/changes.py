"""What changed on a page of the worklist since it was drawn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from worklist.display import GONE, Row
from worklist.selectors import Item

KNOWN_MOST = 1000
TOLD_BY = 8


@dataclass(frozen=True)
class Known:
    """One row as the page has it."""

    id: UUID
    stamp: str
    raised: bool


@dataclass(frozen=True)
class Changes:
    """changed: rows whose values differ; gone: rows that left; the rest is announced, not done.

    critical: how many raised studies the page does not show as raised yet
    farther: how many of those stand below the rows that the page shows
    """

    changed: list[Row]
    gone: list[UUID]
    new: int
    critical: int
    reordered: bool
    farther: int = 0

    @property
    def announces(self) -> bool:
        return bool(self.new or self.reordered or self.farther)


def parse_known(values: Iterable[str]) -> list[Known]:
    """Read what the page sends of its rows, "id:stamp:raised"; what makes no sense is left out."""
    known = []
    for value in list(values)[:KNOWN_MOST]:
        key, _colon, rest = value.partition(":")
        stamp, _colon, raised = rest.partition(":")
        try:
            known.append(Known(UUID(key), stamp, raised == "1"))
        except ValueError:
            continue
    return known


def raised_among(items: Iterable[Item]) -> list[str]:
    """Return the raised studies, each by the beginning of its id: a page holds hundreds."""
    return [str(item.waiting.study_id)[:TOLD_BY] for item in items if item.priority.raised_by]


def compare(
    known: Sequence[Known], there: Sequence[Row], shown: Sequence[Row], farther: int = 0
) -> Changes:
    """Return what to change in place and what to announce.

    there: the known rows that are still in the queue; shown: what a page drawn now would hold;
    farther: how many newly raised studies stand below those
    """
    by_id = {row.id: row for row in there}
    before = {one.id: one for one in known}
    changed = [
        row for one in known if (row := by_id.get(one.id)) is not None and row.stamp != one.stamp
    ]
    gone = [one.id for one in known if one.id not in by_id and one.stamp != GONE]
    critical = [
        row for row in shown if row.raised and not (row.id in before and before[row.id].raised)
    ]
    places = {row.id: place for place, row in enumerate(shown)}
    order = [places[one.id] for one in known if one.id in places]
    return Changes(
        changed=changed,
        gone=gone,
        new=sum(row.id not in before for row in shown),
        critical=len(critical) + farther,
        reordered=order != sorted(order),
        farther=farther,
    )
