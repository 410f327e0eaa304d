"""Who sees whom."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from audit.models import Entry
from patients import selectors, services
from patients.models import BreakGlass
from tests.accounts.factories import (
    make_administrator,
    make_integration,
    make_nurse,
    make_physician,
    make_radiographer,
    make_radiologist,
)
from tests.patients.factories import left_ago, make_patient, make_visit
from xraydx.errors import Forbidden, NotFound, UserError

pytestmark = pytest.mark.django_db
ER_ROLES = [make_physician, make_nurse, make_radiographer]


@pytest.mark.parametrize("make", ER_ROLES)
def test_er_staff_see_a_patient_with_an_open_visit(make):
    visit = make_visit()
    assert selectors.patient_for(make(), visit.patient_id).pk == visit.patient_id


@pytest.mark.parametrize("make", ER_ROLES)
def test_er_staff_do_not_see_a_patient_without_a_visit(make):
    patient = make_patient()
    with pytest.raises(NotFound):
        selectors.patient_for(make(), patient.pk)


@pytest.mark.parametrize(("hours", "seen"), [(71.9, True), (72.1, False)])
def test_a_closed_visit_counts_for_72_hours(hours, seen):
    visit = make_visit()
    left_ago(visit, hours=hours)
    assert selectors.visible_patients(make_nurse()).filter(pk=visit.patient_id).exists() is seen


def test_the_window_is_a_setting(settings):
    settings.VISIBLE_HOURS = 1
    visit = make_visit()
    left_ago(visit, hours=2)
    assert not selectors.visible_patients(make_nurse()).exists()


def test_an_older_closed_visit_does_not_hide_a_newer_open_one():
    patient = make_patient()
    left_ago(make_visit(patient), hours=500)
    make_visit(patient)
    assert selectors.visible_patients(make_nurse()).get() == patient


def test_who_registered_a_patient_keeps_seeing_them():
    nurse = make_nurse()
    patient = make_patient(by=nurse)
    assert selectors.patient_for(nurse, patient.pk) == patient


def test_who_attended_keeps_seeing_the_patient():
    physician = make_physician()
    visit = make_visit(attending=physician)
    left_ago(visit, hours=1000)
    assert selectors.patient_for(physician, visit.patient_id).pk == visit.patient_id


def test_a_radiologist_a_program_and_an_administrator_see_everybody():
    patient = make_patient()
    for make in (make_radiologist, make_integration, make_administrator):
        assert selectors.patient_for(make(), patient.pk) == patient


def test_nobody_sees_a_deleted_patient():
    visit = make_visit()
    services.delete_patient(patient=visit.patient, by=make_physician())
    for make in (*ER_ROLES, make_radiologist, make_integration, make_administrator):
        with pytest.raises(NotFound):
            selectors.patient_for(make(), visit.patient_id)
        with pytest.raises(NotFound):
            selectors.visit_for(make(), visit.pk)


def test_the_inactive_see_nobody():
    make_visit()
    nurse = make_nurse()
    nurse.is_active = False
    assert not selectors.visible_patients(nurse).exists()


def test_a_hidden_patient_and_one_that_does_not_exist_look_the_same():
    nurse, patient = make_nurse(), make_patient()
    with pytest.raises(NotFound) as hidden:
        selectors.patient_for(nurse, patient.pk)
    with pytest.raises(NotFound) as unknown:
        selectors.patient_for(nurse, uuid4())
    assert hidden.value.code == unknown.value.code


def test_looking_at_a_hidden_patient_is_audited():
    nurse, patient = make_nurse(), make_patient()
    with pytest.raises(NotFound):
        selectors.patient_for(nurse, patient.pk)
    refusal = Entry.objects.get(action="access.refused")
    assert (refusal.actor_id, refusal.patient_id) == (nurse.pk, patient.pk)


def test_an_id_that_is_no_uuid_is_just_unknown():
    with pytest.raises(NotFound):
        selectors.patient_for(make_nurse(), "12")
    with pytest.raises(NotFound):
        selectors.visit_for(make_nurse(), "no-such")


def test_a_typed_reason_opens_a_hidden_record():
    nurse, patient = make_nurse(), make_patient()
    services.break_glass(user=nurse, patient_id=patient.pk, reason="Came back with chest pain")
    assert selectors.patient_for(nurse, patient.pk) == patient
    with pytest.raises(NotFound):
        selectors.patient_for(make_nurse(), patient.pk)


def test_a_reason_holds_for_a_limited_time():
    nurse, patient = make_nurse(), make_patient()
    opened = services.break_glass(user=nurse, patient_id=patient.pk, reason="Chest pain again")
    assert opened.until - opened.at == timedelta(hours=12)
    past = timezone.now() - timedelta(hours=13)
    BreakGlass.objects.update(at=past, until=past + timedelta(hours=12))
    with pytest.raises(NotFound):
        selectors.patient_for(nurse, patient.pk)


@pytest.mark.parametrize("reason", ["", "   ", "x", " ab  "])
def test_a_reason_must_say_something(reason):
    with pytest.raises(UserError, match="reason_too_short"):
        services.break_glass(user=make_nurse(), patient_id=make_patient().pk, reason=reason)


def test_a_reason_is_audited_without_its_words():
    nurse, patient = make_nurse(), make_patient()
    services.break_glass(user=nurse, patient_id=patient.pk, reason="Kim Ara came back")
    entry = Entry.objects.get(action="patient.break_glass")
    assert entry.patient_id == patient.pk
    assert "Kim" not in str(entry.detail) + entry.reason


def test_a_reason_opens_no_deleted_patient():
    patient = make_patient()
    services.delete_patient(patient=patient, by=make_administrator())
    with pytest.raises(NotFound):
        services.break_glass(user=make_nurse(), patient_id=patient.pk, reason="Came back")


def test_the_administrator_reads_who_gave_which_reason():
    nurse, patient = make_nurse(), make_patient()
    services.break_glass(user=nurse, patient_id=patient.pk, reason="Came back with chest pain")
    listed = selectors.break_glasses(make_administrator()).rows
    assert [(row.user, row.patient, row.reason) for row in listed] == [
        (nurse, patient, "Came back with chest pain")
    ]
    with pytest.raises(Forbidden):
        selectors.break_glasses(nurse)
