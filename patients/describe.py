"""Changes of patients and visits in words, for the pages."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from django.core.exceptions import FieldDoesNotExist
from django.utils import formats, timezone
from django.utils.dateparse import parse_date, parse_datetime

from accounts.models import User
from patients.models import Patient, PatientChange, Sex, Visit

NOTHING = "—"
# Kept as text in a change.
PARSED = {"closed_at": parse_datetime, "birth_date": parse_date}


class Difference(NamedTuple):
    """One field with its value before and after, or theirs and ours, as text."""

    label: str
    before: str
    after: str


class Description(NamedTuple):
    """A change with its fields."""

    change: PatientChange
    fields: list[Difference]


def describe_changes(changes: list[PatientChange]) -> list[Description]:
    """Put changes into words; one query for the names of accounts that they mention."""
    people = _people(changes)
    return [Description(change, _fields(change, people)) for change in changes]


def differences(row: Patient | Visit, ours: Mapping[str, Any]) -> list[Difference]:
    """Return the fields in which what is stored now differs from what somebody sent."""
    found = []
    for name, mine in ours.items():
        stored = getattr(row, name)
        if name != "version" and (stored or None) != (mine or None):
            label = _label(type(row), name)
            found.append(Difference(label, _text(name, stored), _text(name, mine)))
    return found


def _fields(change: PatientChange, people: Mapping[str, str]) -> list[Difference]:
    """Return the fields of one stored change."""
    model = Visit if change.visit_id else Patient
    texts = []
    for name, (before, after) in change.values.items():
        pair = (people.get(v, v) if name == "attending" else v for v in (before, after))
        texts.append(Difference(_label(model, name), *(_text(name, value) for value in pair)))
    return texts


def _people(changes: list[PatientChange]) -> dict[str, str]:
    """Return the names of the accounts that the changes name by id."""
    ids = {value for change in changes for value in change.values.get("attending", ()) if value}
    return {str(user.pk): str(user) for user in User.objects.filter(pk__in=ids)} if ids else {}


def _label(model: type[Patient | Visit], name: str) -> str:
    """Return the field's name as the forms say it."""
    try:
        label = str(model._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
    except FieldDoesNotExist:
        return name
    return label[:1].upper() + label[1:]


def _text(name: str, value: Any) -> str:
    """Return a value as people read it."""
    if value in (None, ""):
        return NOTHING
    if name == "sex" and value in Sex.values:
        return str(Sex(value).label)
    if isinstance(value, str) and name in PARSED:
        value = PARSED[name](value) or value
    if isinstance(value, datetime):
        return formats.date_format(timezone.localtime(value), "DATETIME_FORMAT")
    if isinstance(value, date):
        return formats.date_format(value, "SHORT_DATE_FORMAT")
    return str(value)
