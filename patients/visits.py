"""Every write to a visit: open, edit, close, reopen."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.permissions import Capability, require
from audit.services import record
from patients.changes import (
    Values,
    apply_changes,
    attend,
    check_version,
    keep_history,
    lock_patient,
)
from patients.models import Patient, PatientChange, Visit
from patients.summary import VISIT_SUMMARY, summarise_visits
from xraydx.errors import Conflict, NotFound, UserError

EDITABLE = ("triage_level", "area", "chief_complaint", "attending")
Action = PatientChange.Action


@transaction.atomic
def open_visit(
    *,
    patient: Patient,
    by: User,
    triage_level: int,
    area: str = "",
    chief_complaint: str = "",
    attending: User | None = None,
    allow_second: bool = True,
) -> Visit:
    """Open a visit; who opens it and who attends see the patient from then on.

    allow_second: whether a visit that is open already is no obstacle
    raises: Forbidden; NotFound; Conflict("visit_open_already")
    """
    require(by, Capability.register_patient, target=patient, patient_id=patient.pk)
    locked = lock_patient(patient.pk)
    if locked.in_er and not allow_second:
        raise Conflict("visit_open_already")
    visit = Visit.objects.create(
        patient=locked,
        triage_level=triage_level,
        area=" ".join(area.split()),
        chief_complaint=chief_complaint.strip(),
        attending=attending,
        created_by=by,
    )
    attend(by, locked)
    _finish(visit, locked, by, Action.VISIT_OPENED, "visit.open", {})
    return visit


@transaction.atomic
def edit_visit(*, visit: Visit, by: User, changes: Values, version: int | None = None) -> Visit:
    """Change the fields that differ and keep what they were.

    raises: Forbidden; NotFound; Conflict("edited_meanwhile")
    """
    locked, patient = _lock(visit, by, version)
    tidy = dict(changes)
    if "area" in tidy:
        tidy["area"] = " ".join(tidy["area"].split())
    values = apply_changes(locked, tidy, allowed=EDITABLE)
    if values:
        locked.save()
        _finish(locked, patient, by, Action.VISIT_EDITED, "visit.edit", values)
    return locked


@transaction.atomic
def close_visit(
    *, visit: Visit, by: User, version: int | None = None, closed_at: datetime | None = None
) -> Visit:
    """End the visit, now or at a past moment; closing twice changes nothing.

    raises: Forbidden; NotFound; Conflict("edited_meanwhile"); UserError("closed_at_invalid")
    """
    locked, patient = _lock(visit, by, version)
    now = timezone.now()
    moment = closed_at or (locked.closed_at or now)
    if not locked.opened_at <= moment <= now:
        raise UserError("closed_at_invalid", field="closed_at")
    values = apply_changes(locked, {"closed_at": moment}, allowed=("closed_at",))
    if values:
        locked.save()
        _finish(locked, patient, by, Action.VISIT_CLOSED, "visit.close", values)
    return locked


@transaction.atomic
def reopen_visit(*, visit: Visit, by: User, version: int | None = None) -> Visit:
    """Open a closed visit again; one that is open stays as it is.

    raises: Forbidden; NotFound; Conflict("edited_meanwhile")
    """
    locked, patient = _lock(visit, by, version)
    values = apply_changes(locked, {"closed_at": None}, allowed=("closed_at",))
    if values:
        locked.save()
        _finish(locked, patient, by, Action.VISIT_REOPENED, "visit.reopen", values)
    return locked


@transaction.atomic
def amend_visit(*, visit: Visit, by: User, changes: Values, version: int | None = None) -> Visit:
    """Change fields, close and reopen in one step, for callers that send it all at once.

    changes: the editable fields, and status ("open", "closed") or closed_at (None reopens)
    raises: what edit_visit, close_visit and reopen_visit raise
    """
    fields = {k: v for k, v in changes.items() if k in EDITABLE}
    amended = edit_visit(visit=visit, by=by, changes=fields, version=version)
    closed_at = changes.get("closed_at")
    if closed_at is not None or changes.get("status") == "closed":
        return close_visit(visit=amended, by=by, closed_at=closed_at)
    if "closed_at" in changes or changes.get("status") == "open":
        return reopen_visit(visit=amended, by=by)
    return amended


def _lock(visit: Visit, by: User, version: int | None) -> tuple[Visit, Patient]:
    """Check the role and lock patient and visit, in this order everywhere."""
    require(by, Capability.edit_patient, target=visit, patient_id=visit.patient_id)
    patient = lock_patient(visit.patient_id)
    locked = Visit.objects.select_for_update().filter(pk=visit.pk, patient=patient).first()
    if locked is None:
        raise NotFound("visit_not_found")
    check_version(locked, version)
    return locked, patient


def _finish(
    visit: Visit, patient: Patient, by: User, change: Action, action: str, values: Values
) -> None:
    """Bring the patient's row up to date, keep history and audit."""
    if visit.attending is not None and visit.is_open:
        attend(visit.attending, patient)
    summarise_visits(patient)
    patient.save(update_fields=[*VISIT_SUMMARY, "updated_at"])
    visit.patient = patient
    keep_history(change, patient=patient, by=by, visit=visit, values=values)
    record(
        actor=by,
        action=action,
        target=visit,
        patient_id=patient.pk,
        detail={"fields": [*sorted(values)]} if values else None,
    )
