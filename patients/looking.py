"""Reads that a person or a program makes, each with its audit entry."""

from uuid import UUID

from accounts.models import User
from audit.services import record
from patients import selectors
from patients.criteria import Criteria
from patients.models import BreakGlass, Merge, Patient, PatientChange, Visit
from patients.paging import Page, page_of


def look_through(
    user: User, criteria: Criteria, cursor: str = "", *, size: int = selectors.PAGE_SIZE
) -> Page[Patient]:
    """Return one page of patients and record whom it showed, but not what was searched."""
    page = selectors.search_patients(user, criteria, cursor, size=size)
    record(
        actor=user,
        action="patient.search" if criteria.is_search else "patient.list",
        detail={"criteria": [*criteria.kinds], "patients": [row.pk for row in page.rows]},
    )
    return page


def look_at_patient(user: User, patient_id: UUID | str) -> Patient:
    """Return the patient and record the view."""
    patient = selectors.patient_for(user, patient_id)
    note_form(user, patient)
    return patient


def note_form(user: User, patient: Patient) -> None:
    """Record the view of a patient on a page that asks for something, role checked before."""
    record(actor=user, action="patient.view", target=patient, patient_id=patient.pk)


def look_at_history(user: User, patient_id: UUID | str) -> tuple[Patient, list[PatientChange]]:
    """Return the patient with what was changed in their data, and record the view."""
    patient = selectors.patient_for(user, patient_id)
    record(actor=user, action="patient.view_history", target=patient, patient_id=patient.pk)
    return patient, selectors.changes_of(patient)


def look_at_visit(user: User, visit_id: UUID | str) -> Visit:
    """Return the visit and record the view."""
    visit = selectors.visit_for(user, visit_id)
    record(actor=user, action="visit.view", target=visit, patient_id=visit.patient_id)
    return visit


def look_through_visits(
    user: User, patient_id: UUID | str, cursor: str = "", *, size: int
) -> tuple[Patient, Page[Visit]]:
    """Return one page of the patient's visits, newest first, and record the view."""
    patient = selectors.patient_for(user, patient_id)
    visits = patient.visits.select_related("attending")
    columns = ("opened_at", "id")
    page = page_of(visits, columns=columns, descending=True, cursor=cursor, size=size)
    record(
        actor=user,
        action="visit.list",
        target=patient,
        patient_id=patient.pk,
        detail={"visits": [row.pk for row in page.rows]},
    )
    return patient, page


def look_through_deleted(user: User, cursor: str = "") -> Page[Patient]:
    """Return one page of deleted patients and record whom it showed."""
    page = selectors.deleted_patients(user, cursor)
    record(
        actor=user,
        action="patient.list_deleted",
        detail={"patients": [row.pk for row in page.rows]},
    )
    return page


def look_through_reasons(user: User, cursor: str = "") -> Page[BreakGlass]:
    """Return one page of records opened with a reason, and record the view."""
    page = selectors.break_glasses(user, cursor)
    record(
        actor=user,
        action="patient.list_break_glass",
        detail={"patients": [row.patient_id for row in page.rows]},
    )
    return page


def note_candidates(user: User, patient: Patient, found: list[Patient]) -> None:
    """Record which records were offered as the same person's."""
    record(
        actor=user,
        action="patient.compare",
        target=patient,
        patient_id=patient.pk,
        detail={"patients": [row.pk for row in found]},
    )


def look_through_merges(user: User, cursor: str = "") -> Page[Merge]:
    """Return one page of merges and record whom it showed."""
    page = selectors.merges(user, cursor)
    record(
        actor=user,
        action="patient.list_merges",
        detail={"patients": [row.kept_id for row in page.rows]},
    )
    return page
