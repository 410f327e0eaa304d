"""Reading the record, permission included."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from audit.models import Entry
from audit.services import record_refusal
from xraydx.errors import Forbidden, UserError

READ = "audit.read_audit"


class Reader(Protocol):
    """Who wants to read: Django's own question about permission is enough here."""

    @property
    def pk(self) -> object: ...

    def has_perm(self, perm: str) -> bool:
        """Tell whether the account may do this."""
        ...


@dataclass(frozen=True)
class Criteria:
    """Which entries to show; None and "" do not narrow.

    action: a whole code ("patient.view") or its noun ("patient").
    """

    actor_id: UUID | None = None
    patient_id: UUID | None = None
    action: str = ""
    via: str = ""
    since: datetime | None = None
    until: datetime | None = None


def entries_for(
    reader: Reader, criteria: Criteria, *, before: int | None = None
) -> QuerySet[Entry]:
    """Return the entries, the newest first; before: the id that the page starts below.

    raises: Forbidden, audited, unless the reader may read the record.
    """
    if not reader.has_perm(READ):
        record_refusal(actor=reader, reason="read_audit")
        raise Forbidden
    entries = Entry.objects.order_by("-id")
    if before is not None:
        entries = entries.filter(id__lt=before)
    if "." in criteria.action:
        entries = entries.filter(action=criteria.action)
    elif criteria.action:
        entries = entries.filter(action__startswith=f"{criteria.action}.")
    exact = {
        "actor_id": criteria.actor_id,
        "patient_id": criteria.patient_id,
        "via": criteria.via or None,
        "at__gte": criteria.since,
        "at__lt": criteria.until,
    }
    return entries.filter(**{name: value for name, value in exact.items() if value is not None})


def account_id(username: str) -> UUID:
    """Return the id of the account with this user name.

    raises: UserError("actor_unknown").
    """
    accounts = get_user_model()
    found = accounts.objects.filter(username=accounts.normalize_username(username)).first()
    if found is None:
        raise UserError("actor_unknown", field="actor")
    return UUID(str(found.pk))


def names_of(actor_ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Return the names of accounts, as they are now, for showing beside entries."""
    wanted = {actor_id for actor_id in actor_ids if actor_id is not None}
    return {user.pk: str(user) for user in get_user_model().objects.filter(pk__in=wanted)}
