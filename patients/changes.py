"""What both kinds of write share: locking, comparing versions, keeping history."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from accounts.models import User
from patients.models import Attendance, Patient, PatientChange, Visit
from xraydx.errors import Conflict, NotFound

Values = Mapping[str, Any]


def lock_patient(patient_id: UUID) -> Patient:
    """Lock the patient's row until the transaction ends; every write starts here."""
    patient = Patient.objects.select_for_update().filter(pk=patient_id).first()
    if patient is None or patient.is_deleted:
        raise NotFound("patient_not_found")
    return patient


def check_version(row: Patient | Visit, version: int | None) -> None:
    """Raise Conflict where somebody saved the row after the version that was edited."""
    if version is not None and version != row.version:
        raise Conflict("edited_meanwhile")


def apply_changes(row: Patient | Visit, changes: Values, *, allowed: tuple[str, ...]) -> Values:
    """Set the fields that differ and raise the version, without saving.

    returns: field → [before, after] as JSON values, empty where nothing differs
    raises: ValueError where a field may not be changed
    """
    if unknown := set(changes) - set(allowed):
        raise ValueError(f"not to be changed: {sorted(unknown)}")
    found: dict[str, list[Any]] = {}
    for name, value in changes.items():
        before = getattr(row, name)
        if before != value:
            setattr(row, name, value)
            found[name] = [as_json(before), as_json(value)]
    if found:
        row.version += 1
    return found


def keep_history(
    action: PatientChange.Action,
    *,
    patient: Patient,
    by: User | None,
    visit: Visit | None = None,
    values: Values | None = None,
) -> None:
    """Add a row to the patient's history."""
    PatientChange.objects.create(
        patient=patient, visit=visit, action=action, values=dict(values or {}), by=by
    )


def attend(user: User, patient: Patient) -> None:
    """Note that the user cares for the patient, who stays visible to them from then on."""
    Attendance.objects.bulk_create([Attendance(user=user, patient=patient)], ignore_conflicts=True)


def as_json(value: Any) -> Any:
    """Return a field's value as JSON keeps it."""
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, User):
        return str(value.pk)
    return value
