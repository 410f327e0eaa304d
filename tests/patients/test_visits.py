"""Writes to visits, and what the patient's row says of them."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.models import Entry
from patients import selectors, services
from patients.models import NOT_URGENT, PatientChange, Visit
from tests.accounts.factories import make_nurse, make_physician, make_radiologist
from tests.patients.factories import close, make_patient, make_visit
from xraydx.errors import Conflict, Forbidden, NotFound, UserError

pytestmark = pytest.mark.django_db


def fresh(visit):
    """Return the visit's patient as stored."""
    return selectors.patient_for(make_radiologist(), visit.patient_id)


def test_an_open_visit_puts_the_patient_into_the_er():
    patient = fresh(make_visit(triage_level=2, area="Resus"))
    assert (patient.in_er, patient.triage_level, patient.urgency) == (True, 2, 2)
    assert patient.last_visit.area == "Resus"


def test_a_closed_visit_takes_the_patient_out_and_keeps_the_level():
    patient = fresh(close(make_visit(triage_level=2)))
    assert (patient.in_er, patient.triage_level, patient.urgency) == (False, 2, NOT_URGENT)
    assert patient.left_at is not None


def test_a_reopened_visit_brings_the_patient_back():
    visit = services.reopen_visit(visit=close(make_visit()), by=make_nurse())
    assert visit.closed_at is None
    assert fresh(visit).in_er


def test_closing_and_reopening_twice_changes_nothing():
    visit = close(make_visit())
    assert close(visit).closed_at == visit.closed_at
    visit = services.reopen_visit(visit=visit, by=make_nurse())
    assert services.reopen_visit(visit=visit, by=make_nurse()).version == visit.version


def test_an_open_visit_counts_before_a_newer_closed_one():
    patient = make_patient()
    first = make_visit(patient, triage_level=1)
    close(make_visit(patient, triage_level=5))
    assert fresh(first).last_visit == first


def test_a_second_open_visit_is_asked_about_where_the_caller_wants_it():
    patient = make_visit().patient
    with pytest.raises(Conflict, match="visit_open_already"):
        make_visit(patient, allow_second=False)
    make_visit(patient)
    assert len(selectors.open_visits_of(patient)) == 2


def test_a_changed_triage_level_shows_at_once_and_in_the_history():
    visit = make_visit(triage_level=3)
    services.edit_visit(visit=visit, by=make_nurse(), changes={"triage_level": 1})
    assert fresh(visit).urgency == 1
    change = PatientChange.objects.get(action="visit_edited")
    assert change.values == {"triage_level": [3, 1]}
    assert Entry.objects.get(action="visit.edit").detail == {"fields": ["triage_level"]}


def test_a_new_attending_is_kept_by_id_and_sees_the_patient_for_good():
    physician, visit = make_physician(), make_visit()
    services.edit_visit(visit=visit, by=make_nurse(), changes={"attending": physician})
    change = PatientChange.objects.get(action="visit_edited")
    assert change.values == {"attending": [None, str(physician.pk)]}
    assert physician.attendances.get().patient_id == visit.patient_id


def test_of_two_simultaneous_edits_the_second_is_asked():
    visit = make_visit()
    services.edit_visit(visit=visit, by=make_nurse(), changes={"area": "B1"}, version=1)
    for write in (services.close_visit, services.reopen_visit):
        with pytest.raises(Conflict, match="edited_meanwhile"):
            write(visit=visit, by=make_nurse(), version=1)


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_visit_ends_neither_before_it_began_nor_in_the_future(hours):
    visit = make_visit()
    with pytest.raises(UserError, match="closed_at_invalid"):
        close(visit, closed_at=timezone.now() + timedelta(hours=hours))


def test_a_program_closes_and_changes_in_one_step():
    visit = make_visit()
    changed = services.amend_visit(
        visit=visit, by=make_nurse(), changes={"area": "B1", "status": "closed"}, version=1
    )
    assert (changed.area, changed.status) == ("B1", "closed")
    changed = services.amend_visit(visit=visit, by=make_nurse(), changes={"closed_at": None})
    assert changed.status == "open"


def test_a_radiologist_opens_and_edits_no_visit():
    visit = make_visit()
    with pytest.raises(Forbidden):
        make_visit(visit.patient, by=make_radiologist())
    with pytest.raises(Forbidden):
        services.edit_visit(visit=visit, by=make_radiologist(), changes={"area": "B1"})


def test_a_deleted_patients_visit_is_not_changed():
    visit = make_visit()
    services.delete_patient(patient=visit.patient, by=make_physician())
    with pytest.raises(NotFound):
        close(visit)
    with pytest.raises(NotFound):
        make_visit(visit.patient)


@pytest.mark.parametrize("level", [0, 6])
def test_the_database_refuses_a_triage_level_outside_the_scale(level):
    visit = make_visit()
    with pytest.raises(IntegrityError), transaction.atomic():
        Visit.objects.filter(pk=visit.pk).update(triage_level=level)


def test_who_uploads_or_signs_can_be_noted_twice():
    physician, visit = make_physician(), make_visit()
    for _ in range(2):
        services.attend(physician, visit.patient)
    assert physician.attendances.count() == 1
