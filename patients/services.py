"""Every write to a patient: register, edit, delete, restore, erase, open with a reason."""

import secrets
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from accounts.permissions import Capability, require
from audit.services import record
from patients import hooks
from patients.changes import (
    Values,
    apply_changes,
    attend,
    check_version,
    keep_history,
    lock_patient,
)
from patients.models import BreakGlass, Patient, PatientChange, Sex, Visit
from patients.summary import fold_keys, rewrite_search_keys
from patients.visits import amend_visit, close_visit, edit_visit, open_visit, reopen_visit
from xraydx.errors import Conflict, NotFound, UserError

__all__ = [
    "amend_visit",
    "attend",
    "break_glass",
    "close_visit",
    "delete_patient",
    "edit_patient",
    "edit_visit",
    "erase_deleted_before",
    "erase_patient",
    "open_visit",
    "register_and_admit",
    "register_patient",
    "reopen_visit",
    "restore_patient",
]

EDITABLE = ("mrn", "family_name", "given_name", "birth_date", "age_estimated", "sex")
# Without letters and digits that look or sound like others.
TEMPORARY_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
TEMPORARY_LENGTH = 6
REASON_MIN_LENGTH = 5
ERASED_AT_ONCE = 100


@transaction.atomic
def register_patient(
    *,
    by: User,
    family_name: str,
    given_name: str = "",
    mrn: str | None = None,
    birth_date: date | None = None,
    age_estimated: int | None = None,
    sex: str = Sex.UNKNOWN,
) -> Patient:
    """Register a patient; without an MRN a temporary number is issued.

    raises: Forbidden; Conflict("mrn_taken")
    """
    require(by, Capability.register_patient)
    patient = Patient(
        family_name=tidied(family_name),
        given_name=tidied(given_name),
        mrn=tidied(mrn) or None,
        birth_date=birth_date,
        age_estimated=age_estimated,
        sex=sex,
        created_by=by,
    )
    patient.arrived_at = patient.created_at
    save_identity(patient)
    attend(by, patient)
    keep_history(PatientChange.Action.REGISTERED, patient=patient, by=by)
    record(actor=by, action="patient.register", target=patient, patient_id=patient.pk)
    return patient


@transaction.atomic
def register_and_admit(*, by: User, patient: Values, visit: Values) -> Visit:
    """Register a patient and open the visit in one step."""
    registered = register_patient(by=by, **patient)
    return open_visit(patient=registered, by=by, **visit)


@transaction.atomic
def edit_patient(
    *, patient: Patient, by: User, changes: Values, version: int | None = None
) -> Patient:
    """Change the fields that differ and keep what they were.

    version: the one that the change is based on; None where fields alone matter
    raises: Forbidden; NotFound; Conflict("edited_meanwhile", "mrn_taken")
    """
    require(by, Capability.edit_patient, target=patient, patient_id=patient.pk)
    locked = lock_patient(patient.pk)
    check_version(locked, version)
    tidy = {k: tidied(v) if isinstance(v, str) else v for k, v in changes.items()}
    if "mrn" in tidy:
        tidy["mrn"] = tidy["mrn"] or None
    values = apply_changes(locked, tidy, allowed=EDITABLE)
    if not values:
        return locked
    save_identity(locked)
    keep_history(PatientChange.Action.EDITED, patient=locked, by=by, values=values)
    record(
        actor=by,
        action="patient.edit",
        target=locked,
        patient_id=locked.pk,
        detail={"fields": [*sorted(values)]},
    )
    return locked


@transaction.atomic
def delete_patient(*, patient: Patient, by: User | None) -> None:
    """Take the patient out of every list; an administrator can restore or erase them.

    by: None for the site's rule on how long records are kept
    raises: Forbidden; NotFound where that happened already
    """
    if by is not None:
        require(by, Capability.delete_patient, target=patient, patient_id=patient.pk)
    locked = lock_patient(patient.pk)
    locked.deleted_at, locked.deleted_by = timezone.now(), by
    locked.version += 1
    locked.save(update_fields=["deleted_at", "deleted_by", "version", "updated_at"])
    keep_history(PatientChange.Action.DELETED, patient=locked, by=by)
    record(actor=by, action="patient.delete", target=locked, patient_id=locked.pk)


@transaction.atomic
def restore_patient(*, patient: Patient, by: User) -> Patient:
    """Bring a deleted patient back.

    raises: Forbidden; NotFound; Conflict("mrn_taken") where the number went to another since
    """
    require(by, Capability.restore_patient, target=patient, patient_id=patient.pk)
    locked = _lock_deleted(patient.pk)
    locked.deleted_at = locked.deleted_by = None
    locked.version += 1
    save_identity(locked)
    keep_history(PatientChange.Action.RESTORED, patient=locked, by=by)
    record(actor=by, action="patient.restore", target=locked, patient_id=locked.pk)
    return locked


@transaction.atomic
def erase_patient(*, patient: Patient, by: User | None) -> None:
    """Remove a deleted patient for good, with all that other applications keep.

    Of the audit record only ids remain.
    by: None for the site's rule on how long deleted patients are kept
    raises: Forbidden; NotFound where the patient is not deleted
    """
    if by is not None:
        require(by, Capability.erase_patient, target=patient, patient_id=patient.pk)
    locked = _lock_deleted(patient.pk)
    for row in (*locked.merged.all(), locked):
        for erase in hooks.before_erase:
            erase(row, by)
        record(actor=by, action="patient.erase", target=row, patient_id=row.pk)
        row.delete()


def erase_deleted_before(moment: datetime) -> int:
    """Erase the patients who were deleted before then, a hundred at most; returns how many."""
    old = Patient.objects.filter(deleted_at__lt=moment, merged_into=None)
    rows = list(old.order_by("deleted_at")[:ERASED_AT_ONCE])
    for patient in rows:
        erase_patient(patient=patient, by=None)
    return len(rows)


@transaction.atomic
def break_glass(*, user: User, patient_id: UUID, reason: str) -> BreakGlass:
    """Open a record outside the rule for BREAK_GLASS_HOURS.

    reason: typed by the user; kept beside the record, never in the audit entry
    raises: Forbidden; NotFound; UserError("reason_too_short")
    """
    require(user, Capability.break_glass, patient_id=patient_id)
    reason = tidied(reason)
    if len(reason) < REASON_MIN_LENGTH:
        raise UserError("reason_too_short", field="reason")
    patient = Patient.objects.filter(pk=patient_id, deleted_at__isnull=True).first()
    if patient is None:
        raise NotFound("patient_not_found")
    now = timezone.now()
    opened = BreakGlass.objects.create(
        user=user,
        patient=patient,
        reason=reason,
        at=now,
        until=now + timedelta(hours=settings.BREAK_GLASS_HOURS),
    )
    record(
        actor=user,
        action="patient.break_glass",
        target=patient,
        patient_id=patient.pk,
        detail={"break_glass": opened.pk},
    )
    return opened


def save_identity(patient: Patient) -> None:
    """Save name and numbers with their keys; raises Conflict("mrn_taken")."""
    fold_keys(patient)
    if patient.mrn is None and patient.temporary_id is None:
        patient.temporary_id = _issue_temporary_id()
    try:
        with transaction.atomic():
            patient.save()
    except IntegrityError as error:
        if "patient_mrn_once" not in str(error):
            raise
        raise Conflict("mrn_taken", field="mrn") from error
    rewrite_search_keys(patient)


def _issue_temporary_id() -> str:
    """Return a temporary number that nobody has."""
    while True:
        letters = (secrets.choice(TEMPORARY_ALPHABET) for _ in range(TEMPORARY_LENGTH))
        number = "T-" + "".join(letters)
        if not Patient.objects.filter(temporary_id=number).exists():
            return number


def _lock_deleted(patient_id: UUID) -> Patient:
    """Lock the row of a deleted patient."""
    patient = Patient.objects.select_for_update().filter(pk=patient_id).first()
    if patient is None or not patient.is_deleted or patient.merged_into_id:
        raise NotFound("patient_not_found")
    return patient


def tidied(text: Any) -> str:
    """Return text without spaces around it and with single ones inside."""
    return " ".join(str(text).split()) if text else ""
