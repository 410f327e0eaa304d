"""The one way to write an audit entry."""

import re
from collections.abc import Mapping
from typing import Protocol, TypeAlias
from uuid import UUID

from django.db import models

from audit.context import current
from audit.models import Entry

ACTION = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\Z")
KEY = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
CODE = re.compile(r"[A-Za-z0-9_.:/+-]{0,128}\Z")
REASON = re.compile(r"[a-z0-9_.:-]{0,64}\Z")

Plain: TypeAlias = str | int | float | bool | UUID | None


class Actor(Protocol):
    """Whoever acts: the account, or Django's anonymous user (without a key)."""

    @property
    def pk(self) -> object: ...


def record(
    *,
    actor: Actor | None,
    action: str,
    target: models.Model | None = None,
    patient_id: UUID | None = None,
    reason: str = "",
    detail: Mapping[str, Plain | list[Plain]] | None = None,
) -> Entry:
    """Append one entry, inside the caller's transaction.

    action: "noun.verb" in snake_case; reason: a code; detail: codes, numbers and ids.
    raises: ValueError where words stand in place of a code, so that no name or
    value slips into a record that nobody can ever take it out of again.
    """
    if not ACTION.match(action):
        raise ValueError(f"not an action: {action!r}")
    if not REASON.match(reason):
        raise ValueError("the reason of an audit entry is a code, free text stays with its row")
    entry = _entry(actor, action, target, patient_id, reason, _plain_detail(detail or {}))
    entry.save(force_insert=True)
    return entry


def record_refusal(
    *,
    actor: Actor | None,
    reason: str,
    target: models.Model | None = None,
    patient_id: UUID | None = None,
    detail: Mapping[str, Plain | list[Plain]] | None = None,
) -> None:
    """Record that access was refused, even when the refusal rolls the transaction back.

    Inside a request the entry is written once the response stands, outside of the
    view's transaction; elsewhere it is written at once.
    """

    def write() -> Entry:
        return record(
            actor=actor,
            action="access.refused",
            target=target,
            patient_id=patient_id,
            reason=reason,
            detail=detail,
        )

    deferred = current().deferred
    if deferred is None:
        write()
    else:
        deferred.append(write)


def _entry(
    actor: Actor | None,
    action: str,
    target: models.Model | None,
    patient_id: UUID | None,
    reason: str,
    detail: dict[str, object],
) -> Entry:
    """Build the row from the arguments and the context."""
    context = current()
    actor_id = actor.pk if actor is not None else None
    return Entry(
        actor_id=actor_id if isinstance(actor_id, UUID) else None,
        action=action,
        target_type=target._meta.label_lower if target is not None else "",
        target_id=str(target.pk) if target is not None else "",
        patient_id=patient_id,
        reason=reason,
        detail=detail,
        via=context.via,
        address=context.address,
        request_id=context.request_id,
    )


def _plain_detail(detail: Mapping[str, Plain | list[Plain]]) -> dict[str, object]:
    """Return the detail as JSON values, or raise ValueError where one is no code."""
    plain: dict[str, object] = {}
    for key, value in detail.items():
        if not KEY.match(key):
            raise ValueError(f"not a key of an audit entry's detail: {key!r}")
        plain[key] = [_code(v) for v in value] if isinstance(value, list) else _code(value)
    return plain


def _code(value: Plain) -> str | int | float | bool | None:
    """Return a number, a truth value or a code; refuse anything that reads like prose."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    if not CODE.match(text):
        raise ValueError("the detail of an audit entry holds codes, numbers and ids only")
    return text
