"""What a list of patients is asked for: criteria, order and place in it."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal, Self
from uuid import UUID

from django.core.signing import BadSignature, Signer

from xraydx.errors import UserError

# Each order compares whole rows in one direction, so that one index serves it.
ORDERS: dict[str, tuple[tuple[str, ...], bool]] = {
    # name: (columns, descending)
    "arrived": (("arrived_at", "id"), True),
    "urgent": (("urgency", "arrived_at", "id"), False),
    "name": (("name_key", "id"), False),
    "registered": (("created_at", "id"), True),
}
STATUSES = ("open", "closed", "all")


@dataclass(frozen=True)
class Criteria:
    """What to look for; empty values ask for nothing.

    text: beginning of a name, of an MRN or of a temporary number, or a birth date
    triage: 1..5 of the last visit; status: open (in the ER), closed or all
    """

    text: str = ""
    name: str = ""
    mrn: str = ""
    birth_date: date | None = None
    triage: int | None = None
    area: str = ""
    status: str = "all"
    sort: str = "arrived"

    @property
    def is_search(self) -> bool:
        """Tell whether it looks for somebody, rather than filters the list."""
        return bool(self.text or self.name or self.mrn or self.birth_date)

    @property
    def kinds(self) -> list[str]:
        """Return the names of what was asked for, never the values: for the audit record."""
        names = ("text", "name", "mrn", "birth_date", "triage", "area")
        return [name for name in names if getattr(self, name)]

    def with_(self, **changes: Any) -> Self:
        """Return a copy with other values."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Cursor:
    """A place in a list: after or before one row, which only its id names.

    The id alone, because a cursor stands in query strings and those in logs.
    """

    direction: Literal["after", "before"]
    row: UUID

    def encode(self) -> str:
        """Return it as text that can't be made up, else an order would tell about hidden rows."""
        return _signer().sign(f"{self.direction[0]}{self.row.hex}")

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read the text back; raises UserError("cursor_invalid")."""
        try:
            plain = _signer().unsign(text)
            return cls("after" if plain[0] == "a" else "before", UUID(hex=plain[1:]))
        except (BadSignature, ValueError) as error:
            raise UserError("cursor_invalid", field="cursor") from error


def _signer() -> Signer:
    return Signer(salt="patients.cursor", sep="~")
