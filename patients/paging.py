"""One page of a long list by keyset: no count, no offset, the same cost on every page."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import F, Func, Model, QuerySet, TextField, Value
from django.db.models.lookups import GreaterThan, LessThan
from django.urls import reverse

from patients.criteria import Cursor
from xraydx.errors import UserError

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Rows in order, and the cursors of the pages beside them ("" where there is none)."""

    rows: list[Row]
    next: str = ""
    previous: str = ""


def page_context(page: Page[Row], name: str) -> dict[str, object]:
    """Return what a template shows of a page of the list at this address."""
    address = reverse(name)
    return {
        "page": page,
        "next_url": page.next and f"{address}?cursor={page.next}",
        "previous_url": page.previous and f"{address}?cursor={page.previous}",
    }


class _RowValue(Func):
    """A row constructor, which PostgreSQL compares as a whole and looks up in an index."""

    function = "ROW"
    output_field = TextField()


def page_of(
    rows: QuerySet[Row], *, columns: tuple[str, ...], descending: bool, cursor: str, size: int
) -> Page[Row]:
    """Return the page that the cursor points to, the first one for "".

    columns: end with the key, so that no two rows are equal
    raises: UserError("cursor_invalid")
    """
    place = Cursor.decode(cursor) if cursor else None
    backward = place is not None and place.direction == "before"
    falling = descending != backward
    if place is not None:
        rows = rows.filter(_beyond(rows, columns, place, falling=falling))
    found = list(rows.order_by(*(f"-{c}" if falling else c for c in columns))[: size + 1])
    more, found = len(found) > size, found[:size]
    if backward:
        found.reverse()
    if not found:
        return Page([])
    return Page(
        found,
        next=Cursor("after", found[-1].pk).encode() if more or backward else "",
        previous=Cursor("before", found[0].pk).encode()
        if (more if backward else place is not None)
        else "",
    )


def _beyond(
    rows: QuerySet[Row], columns: tuple[str, ...], place: Cursor, *, falling: bool
) -> GreaterThan | LessThan:
    """Return the condition that a row lies beyond the cursor's."""
    # Read without the list's filters: the row may have left the list since.
    at = rows.model._default_manager.filter(pk=place.row).values_list(*columns).first()
    if at is None:
        raise UserError("cursor_invalid", field="cursor")
    compare = LessThan if falling else GreaterThan
    return compare(_RowValue(*map(F, columns)), _RowValue(*map(Value, at)))
