"""How long deleted patients are kept: the site's rule, carried out by the clock."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from audit.models import Entry
from diagnosis.models import Film
from patients.merging import merge_patients
from patients.models import Patient
from patients.services import delete_patient
from policy.services import change_policy
from tests.accounts.factories import make_administrator
from tests.diagnosis.factories import make_film
from tests.patients.factories import make_patient

pytestmark = pytest.mark.django_db


def deleted(*, days_ago: int) -> Patient:
    patient = make_film().patient
    delete_patient(patient=patient, by=make_administrator())
    moment = timezone.now() - timedelta(days=days_ago)
    Patient.objects.filter(pk=patient.pk).update(deleted_at=moment)
    return patient


def test_without_a_rule_deleted_patients_stay() -> None:
    patient = deleted(days_ago=4000)
    call_command("run_clock", once=True)
    assert Patient.objects.filter(pk=patient.pk).exists()


def test_after_the_days_of_the_rule_a_deleted_patient_goes_with_all_films() -> None:
    old, young = deleted(days_ago=31), deleted(days_ago=29)
    kept, gone = make_patient(), make_patient()
    admin = make_administrator()
    merge_patients(kept=kept, gone=gone, reason="same wristband", by=admin)
    Patient.objects.filter(pk=gone.pk).update(deleted_at=timezone.now() - timedelta(days=90))
    change_policy(by=admin, version=0, keep_deleted_days=30)
    call_command("run_clock", once=True)
    assert not Patient.objects.filter(pk=old.pk).exists()
    assert not Film.objects.filter(patient_id=old.pk).exists()
    assert Patient.objects.filter(pk__in=[young.pk, gone.pk, kept.pk]).count() == 3
    entry = Entry.objects.get(action="patient.erase")
    assert (entry.patient_id, entry.actor_id) == (old.pk, None)


def test_nobody_is_erased_within_a_week() -> None:
    with pytest.raises(ValueError):
        change_policy(by=make_administrator(), version=0, keep_deleted_days=6)
