"""Writes to patients: register, edit, delete, restore, erase."""

from datetime import date

import pytest
from django.db import IntegrityError, transaction

from audit.models import Entry
from patients import hooks, selectors, services
from patients.models import Patient, PatientChange
from tests.accounts.factories import (
    make_administrator,
    make_nurse,
    make_physician,
    make_radiologist,
)
from tests.patients.factories import make_patient, make_visit
from xraydx.errors import Conflict, Forbidden, NotFound

pytestmark = pytest.mark.django_db


def test_the_unidentified_get_a_temporary_number():
    patient = services.register_patient(
        by=make_nurse(), family_name="Unidentified", age_estimated=40, sex="M"
    )
    assert patient.temporary_id.startswith("T-")
    assert len(patient.temporary_id) == 8
    assert (patient.number, patient.age) == (patient.temporary_id, 40)


def test_a_patient_with_an_mrn_needs_no_temporary_number():
    assert make_patient(mrn="77").temporary_id is None


def test_an_mrn_taken_away_makes_room_for_a_temporary_number():
    patient = make_patient(mrn="77")
    patient = services.edit_patient(patient=patient, by=make_nurse(), changes={"mrn": None})
    assert patient.number.startswith("T-")


@pytest.mark.parametrize("again", ["AB-1", "ab-1", " AB -1 "])
def test_an_mrn_is_given_once(again):
    make_patient(mrn="AB-1")
    with pytest.raises(Conflict, match="mrn_taken"):
        make_patient(mrn=again)
    assert Patient.objects.count() == 1


def test_an_mrn_is_given_once_by_edits_too():
    make_patient(mrn="1")
    patient = make_patient(mrn="2")
    with pytest.raises(Conflict, match="mrn_taken"):
        services.edit_patient(patient=patient, by=make_nurse(), changes={"mrn": "1"})


def test_a_deleted_patient_frees_the_mrn_and_can_not_come_back_over_another():
    admin = make_administrator()
    deleted = make_patient(mrn="1")
    services.delete_patient(patient=deleted, by=admin)
    make_patient(mrn="1")
    with pytest.raises(Conflict, match="mrn_taken"):
        services.restore_patient(patient=deleted, by=admin)


def test_spaces_in_names_are_tidied():
    patient = make_patient(family_name="  van  der Berg ", given_name=" ")
    assert (patient.family_name, patient.given_name) == ("van der Berg", "")


def test_an_edit_keeps_what_was_there_before():
    nurse = make_nurse()
    patient = make_patient(family_name="Unknown", birth_date=None)
    services.edit_patient(
        patient=patient,
        by=nurse,
        changes={"family_name": "Vo", "birth_date": date(1970, 3, 5), "sex": patient.sex},
    )
    change = selectors.changes_of(patient)[0]
    assert change.action == PatientChange.Action.EDITED
    assert change.by == nurse
    assert change.values == {"family_name": ["Unknown", "Vo"], "birth_date": [None, "1970-03-05"]}


def test_an_edit_is_audited_by_field_and_never_by_value():
    patient = make_patient()
    services.edit_patient(patient=patient, by=make_nurse(), changes={"family_name": "Secretname"})
    entry = Entry.objects.get(action="patient.edit")
    assert entry.detail == {"fields": ["family_name"]}
    assert entry.patient_id == patient.pk


def test_an_edit_that_changes_nothing_leaves_no_trace():
    patient = make_patient(family_name="Vo")
    same = services.edit_patient(patient=patient, by=make_nurse(), changes={"family_name": "Vo"})
    assert same.version == 1
    assert not Entry.objects.filter(action="patient.edit").exists()


def test_of_two_simultaneous_edits_the_second_is_asked():
    patient = make_patient()
    services.edit_patient(
        patient=patient, by=make_nurse(), changes={"given_name": "First"}, version=1
    )
    with pytest.raises(Conflict, match="edited_meanwhile"):
        services.edit_patient(
            patient=patient, by=make_nurse(), changes={"given_name": "Second"}, version=1
        )
    patient.refresh_from_db()
    assert patient.given_name == "First"


def test_edits_of_different_fields_without_a_version_both_hold():
    patient = make_patient()
    for changes in ({"given_name": "New"}, {"sex": "O"}):
        services.edit_patient(patient=patient, by=make_nurse(), changes=changes)
    patient.refresh_from_db()
    assert (patient.given_name, patient.sex, patient.version) == ("New", "O", 3)


def test_a_radiologist_registers_and_edits_nobody():
    radiologist, patient = make_radiologist(), make_patient()
    with pytest.raises(Forbidden):
        make_patient(by=radiologist)
    with pytest.raises(Forbidden):
        services.edit_patient(patient=patient, by=radiologist, changes={"sex": "O"})


def test_a_deleted_patient_comes_back_as_it_was():
    admin = make_administrator()
    visit = make_visit(triage_level=2)
    services.delete_patient(patient=visit.patient, by=make_physician())
    assert [p.pk for p in selectors.deleted_patients(admin).rows] == [visit.patient_id]
    services.restore_patient(
        patient=selectors.deleted_patient_for(admin, visit.patient_id), by=admin
    )
    patient = selectors.patient_for(make_nurse(), visit.patient_id)
    assert patient.in_er
    assert patient.triage_level == 2
    assert selectors.deleted_patients(admin).rows == []


def test_only_an_administrator_restores_and_erases():
    physician, patient = make_physician(), make_patient()
    services.delete_patient(patient=patient, by=physician)
    with pytest.raises(Forbidden):
        selectors.deleted_patient_for(physician, patient.pk)
    with pytest.raises(Forbidden):
        services.restore_patient(patient=patient, by=physician)
    with pytest.raises(Forbidden):
        services.erase_patient(patient=patient, by=physician)


def test_nobody_is_erased_who_was_not_deleted_before():
    with pytest.raises(NotFound):
        services.erase_patient(patient=make_patient(), by=make_administrator())


def test_nobody_is_deleted_twice():
    patient = make_patient()
    services.delete_patient(patient=patient, by=make_physician())
    with pytest.raises(NotFound):
        services.delete_patient(patient=patient, by=make_physician())


def test_erasing_calls_the_hooks_and_leaves_ids_only(monkeypatch):
    admin = make_administrator()
    visit = make_visit(make_patient(family_name="Secretname"))
    patient = visit.patient
    services.break_glass(user=make_nurse(), patient_id=patient.pk, reason="Came back again")
    services.delete_patient(patient=patient, by=admin)
    seen = []
    monkeypatch.setattr(hooks, "before_erase", [lambda p, by: seen.append((p.pk, by))])
    services.erase_patient(patient=patient, by=admin)
    assert seen == [(patient.pk, admin)]
    assert not Patient.objects.filter(pk=patient.pk).exists()
    assert not PatientChange.objects.exists()
    entry = Entry.objects.get(action="patient.erase")
    assert entry.patient_id == patient.pk
    assert "Secretname" not in str(list(Entry.objects.values()))


def test_a_hook_that_fails_erases_nothing(monkeypatch):
    admin, patient = make_administrator(), make_patient()
    services.delete_patient(patient=patient, by=admin)

    def fail(patient, by):
        raise OSError("no storage")

    monkeypatch.setattr(hooks, "before_erase", [fail])
    with pytest.raises(OSError, match="no storage"), transaction.atomic():
        services.erase_patient(patient=patient, by=admin)
    assert selectors.deleted_patient_for(admin, patient.pk) == patient


@pytest.mark.parametrize(
    "broken",
    [
        {"family_name": ""},
        {"sex": "X"},
        {"age_estimated": 131},
        {"mrn": None, "mrn_key": None, "temporary_id": None},
        {"mrn": "A", "mrn_key": None},
    ],
)
def test_the_database_refuses_nonsense(broken):
    patient = make_patient()
    with pytest.raises(IntegrityError), transaction.atomic():
        Patient.objects.filter(pk=patient.pk).update(**broken)


def test_a_patient_is_never_named_in_a_log_line():
    patient = make_patient(family_name="Secretname", mrn="98765")
    visit = make_visit(patient)
    for row in (patient, visit, *patient.changes.all(), *patient.search_keys.all()):
        assert "Secretname" not in f"{row!r} {row}"
        assert "98765" not in f"{row!r} {row}"
