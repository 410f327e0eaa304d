"""Putting two records of one person together, and parting them again."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.permissions import Capability, require
from audit.services import record
from patients import hooks
from patients.changes import Values, apply_changes, as_json, keep_history, lock_patient
from patients.models import Attendance, Merge, Patient, PatientChange, Visit
from patients.services import REASON_MIN_LENGTH, save_identity
from patients.summary import summarise_visits
from xraydx.errors import Conflict, UserError

# Taken over from the record that goes, where the kept one has nothing.
ADOPTED = ("mrn", "given_name", "birth_date", "age_estimated")


@transaction.atomic
def merge_patients(*, kept: Patient, gone: Patient, reason: str, by: User) -> Merge:
    """File all of `gone` under `kept`; what the kept record lacks, it takes over.

    raises: Forbidden; NotFound; UserError("merge_of_one", "reason_too_short")
    """
    require(by, Capability.merge_patient, target=kept, patient_id=kept.pk)
    reason = " ".join(reason.split())
    if len(reason) < REASON_MIN_LENGTH:
        raise UserError("merge_reason_too_short", field="reason")
    if kept.pk == gone.pk:
        raise UserError("merge_of_one", field="other")
    kept, gone = _lock_two(kept.pk, gone.pk)
    moved = _move(gone, kept)
    _hide(gone, kept, by)
    adopted = _adopt(gone, kept)
    merge = Merge.objects.create(
        kept=kept, gone=gone, moved=moved, adopted=adopted, reason=reason, by=by
    )
    _finish(kept, PatientChange.Action.MERGED, by, adopted)
    for patient in (kept, gone):
        record(
            actor=by,
            action="patient.merge",
            target=merge,
            patient_id=patient.pk,
            detail={"kept": kept.pk, "gone": gone.pk},
        )
    return merge


@transaction.atomic
def undo_merge(*, merge: Merge, by: User) -> Patient:
    """Part the records again; returns the one that comes back.

    What came to a visit since then stays with its visit; later visits stay with the kept record.
    raises: Forbidden; NotFound; Conflict("merge_undone", "mrn_taken")
    """
    require(by, Capability.merge_patient, target=merge, patient_id=merge.kept_id)
    held = Merge.objects.select_for_update().get(pk=merge.pk)
    if held.undone_at is not None:
        raise Conflict("merge_undone")
    kept = lock_patient(held.kept_id)
    gone = Patient.objects.select_for_update().get(pk=held.gone_id)
    _give_back(held, kept)
    _move_back(held, gone, kept)
    gone.deleted_at = gone.deleted_by = gone.merged_into = None
    gone.version += 1
    # The kept record first: it gives back the number that the other one needs.
    Patient.objects.filter(pk=gone.pk).update(merged_into=None)
    for patient in (kept, gone):
        _finish(patient, PatientChange.Action.UNMERGED, by, {})
    held.undone_by, held.undone_at = by, timezone.now()
    held.save(update_fields=["undone_by", "undone_at"])
    for patient in (kept, gone):
        record(actor=by, action="patient.unmerge", target=held, patient_id=patient.pk)
    return gone


def _lock_two(kept_id: UUID, gone_id: UUID) -> tuple[Patient, Patient]:
    """Lock both rows in one order everywhere, so that two merges never wait for each other."""
    locked = {key: lock_patient(key) for key in sorted((kept_id, gone_id))}
    return locked[kept_id], locked[gone_id]


def _move(gone: Patient, kept: Patient) -> hooks.Moved:
    """File visits, and what hangs on them, under the kept record; returns their ids."""
    visits = [str(key) for key in gone.visits.values_list("pk", flat=True)]
    Visit.objects.filter(pk__in=visits).update(patient=kept)
    moved: hooks.Moved = {"visits": visits, "attendances": _share_attendances(gone, kept)}
    # A record that was merged into `gone` before goes along.
    moved["merged"] = [str(key) for key in gone.merged.values_list("pk", flat=True)]
    gone.merged.update(merged_into=kept)
    for move in hooks.on_merge:
        moved |= move(gone, kept)
    return moved


def _share_attendances(gone: Patient, kept: Patient) -> list[str]:
    """Let those who cared for `gone` see the kept record; returns for whom that is new."""
    there = kept.attendances.values("user_id")
    users = list(gone.attendances.exclude(user_id__in=there).values_list("user_id", flat=True))
    Attendance.objects.bulk_create(Attendance(user_id=user, patient=kept) for user in users)
    return [str(user) for user in users]


def _hide(gone: Patient, kept: Patient, by: User) -> None:
    gone.deleted_at, gone.deleted_by, gone.merged_into = timezone.now(), by, kept
    gone.version += 1
    summarise_visits(gone)
    gone.save()
    keep_history(PatientChange.Action.MERGED, patient=gone, by=by)


def _adopt(gone: Patient, kept: Patient) -> Values:
    """Fill what the kept record lacks; returns field → [before, after]."""
    lacking = {
        name: getattr(gone, name)
        for name in ADOPTED
        if getattr(kept, name) in (None, "") and getattr(gone, name) not in (None, "")
    }
    if kept.sex == "U" and gone.sex != "U":
        lacking["sex"] = gone.sex
    return apply_changes(kept, lacking, allowed=(*ADOPTED, "sex"))


def _give_back(merge: Merge, kept: Patient) -> None:
    """Undo what the kept record took over, where nobody changed it since."""
    for name, (before, after) in merge.adopted.items():
        if as_json(getattr(kept, name)) == after:
            setattr(kept, name, before)
    kept.version += 1


def _move_back(merge: Merge, gone: Patient, kept: Patient) -> None:
    moved: dict[str, Any] = merge.moved
    Visit.objects.filter(pk__in=moved["visits"], patient=kept).update(patient=gone)
    Attendance.objects.filter(user_id__in=moved["attendances"], patient=kept).delete()
    Patient.objects.filter(pk__in=moved["merged"], merged_into=kept).update(merged_into=gone)
    for move in hooks.on_unmerge:
        move(gone, kept, moved)


def _finish(kept: Patient, action: PatientChange.Action, by: User, values: Values) -> None:
    """Bring the kept row and its search keys up to date, and keep history."""
    summarise_visits(kept)
    save_identity(kept)
    keep_history(action, patient=kept, by=by, values=values)
