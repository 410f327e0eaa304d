"""How long patients and deleted patients are kept: the site's rules, carried out by the clock."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from audit.models import Entry
from diagnosis.models import Analysis, Film, Reading
from diagnosis.services import sign_reading
from patients.merging import merge_patients
from patients.models import Patient, Visit
from patients.services import delete_patient, restore_patient
from policy.services import change_policy
from tests.accounts.factories import client_of, make_administrator, make_physician
from tests.diagnosis.factories import make_film, make_refusal, make_result
from tests.patients.factories import close, make_patient, make_visit

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


def seen(*, years_ago: float, signed: bool = True, closed: bool = True) -> Patient:
    """A patient whose one visit with one film was so long ago."""
    visit = make_visit()
    analysis = make_result(make_film(visit))
    if signed:
        sign_reading(analysis=analysis, by=make_physician(), verdict="agree")
    if closed:
        close(visit)
    age(visit.patient, years_ago)
    return visit.patient


def age(patient: Patient, years: float) -> None:
    """Let all that happened to the patient be so much older."""
    moment = timezone.now() - timedelta(days=365.25 * years)
    Patient.objects.filter(pk=patient.pk).update(created_at=moment, updated_at=moment)
    visits = Visit.objects.filter(patient=patient)
    visits.update(opened_at=moment, updated_at=moment)
    visits.filter(closed_at__isnull=False).update(closed_at=moment)
    Film.objects.filter(patient=patient).update(uploaded_at=moment)
    Reading.objects.filter(analysis__film__patient=patient).update(signed_at=moment)


def is_deleted(patient: Patient) -> bool:
    return Patient.objects.get(pk=patient.pk).deleted_at is not None


def test_without_a_rule_records_stay() -> None:
    patient = seen(years_ago=80)
    call_command("run_clock", once=True)
    assert not is_deleted(patient)


def test_after_the_years_of_the_rule_a_record_stands_among_the_deleted() -> None:
    old, young = seen(years_ago=10.1), seen(years_ago=9.9)
    change_policy(by=make_administrator(), version=0, keep_years=10)
    call_command("run_clock", once=True)
    assert is_deleted(old)
    assert not is_deleted(young)
    assert Film.objects.filter(patient=old).exists()
    entry = Entry.objects.get(action="patient.delete")
    assert (entry.patient_id, entry.actor_id) == (old.pk, None)


def test_unsigned_films_and_open_visits_are_never_touched() -> None:
    kept = [
        seen(years_ago=30, signed=False),
        seen(years_ago=30, closed=False),
    ]
    change_policy(by=make_administrator(), version=0, keep_years=10)
    call_command("run_clock", once=True)
    assert not any(map(is_deleted, kept))


def test_a_refused_film_waits_for_no_signature() -> None:
    visit = make_visit()
    make_refusal(make_film(visit))
    close(visit)
    age(visit.patient, 11)
    change_policy(by=make_administrator(), version=0, keep_years=10)
    call_command("run_clock", once=True)
    assert is_deleted(visit.patient)


@pytest.mark.parametrize("what", ["visit", "film", "signature", "change"])
def test_whatever_happened_lately_keeps_the_whole_record(what: str) -> None:
    patient = seen(years_ago=11)
    now = timezone.now()
    if what == "visit":
        Visit.objects.filter(patient=patient).update(closed_at=now)
    elif what == "film":
        Film.objects.filter(patient=patient).update(uploaded_at=now)
    elif what == "signature":
        Reading.objects.update(signed_at=now)
    else:
        Patient.objects.filter(pk=patient.pk).update(updated_at=now)
    change_policy(by=make_administrator(), version=0, keep_years=10)
    call_command("run_clock", once=True)
    assert not is_deleted(patient)


def test_whom_an_administrator_brings_back_stays() -> None:
    patient, admin = seen(years_ago=11), make_administrator()
    change_policy(by=admin, version=0, keep_years=10)
    call_command("run_clock", once=True)
    restore_patient(patient=patient, by=admin)
    call_command("run_clock", once=True)
    assert not is_deleted(patient)
    assert Analysis.objects.filter(film__patient=patient).exists()


def test_the_page_shows_what_would_go_before_the_rule_is_saved() -> None:
    old, waiting = seen(years_ago=11), seen(years_ago=11, signed=False)
    client = client_of(make_administrator())
    text = client.get("/retention/").text
    assert "Off: this site keeps all records." in text
    assert old.display_name not in text
    text = client.get("/retention/?years=10").text
    assert "1 record would go today, with films: 1." in text
    assert "1 record as old stays, because a film in it is not signed." in text
    assert old.display_name in text
    assert waiting.display_name not in text
    assert not is_deleted(old)
    assert Entry.objects.filter(action="retention.preview").exists()
    assert client.get("/retention/?years=1").status_code == 422


def test_records_are_kept_for_two_years_at_least() -> None:
    with pytest.raises(ValueError):
        change_policy(by=make_administrator(), version=0, keep_years=1)


def test_a_preview_of_nothing_says_nothing_would_go() -> None:
    text = client_of(make_administrator()).get("/retention/?years=5").content.decode()
    assert "Nothing would go today." in text
    assert "0 records" not in text
