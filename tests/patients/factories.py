"""Patients and visits for tests, made by the services that the pages use."""

from datetime import timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from accounts.models import User
from patients import services
from patients.models import Patient, Visit
from patients.summary import VISIT_SUMMARY, summarise_visits
from tests.accounts.factories import make_nurse

_numbers = count(1)


def make_patient(*, by: User | None = None, **values: Any) -> Patient:
    """Register a patient, by a nurse of their own unless told otherwise."""
    number = next(_numbers)
    given = {
        "mrn": f"MRN{number:06}",
        "family_name": "Kim",
        "given_name": f"Ara {number}",
        "sex": "F",
        **values,
    }
    return services.register_patient(by=by or make_nurse(), **given)


def make_visit(patient: Patient | None = None, *, by: User | None = None, **values: Any) -> Visit:
    """Open a visit, of a new patient unless told otherwise."""
    given = {"triage_level": 3, "area": "A4", "chief_complaint": "Cough", **values}
    return services.open_visit(patient=patient or make_patient(), by=by or make_nurse(), **given)


def close(visit: Visit, **values: Any) -> Visit:
    """Close a visit, by a nurse of their own."""
    return services.close_visit(visit=visit, by=make_nurse(), **values)


def left_ago(visit: Visit, *, hours: float) -> Visit:
    """Have the visit end some hours ago, after lasting one."""
    closed = timezone.now() - timedelta(hours=hours)
    Visit.objects.filter(pk=visit.pk).update(
        closed_at=closed, opened_at=closed - timedelta(hours=1)
    )
    patient = Patient.objects.get(pk=visit.patient_id)
    summarise_visits(patient)
    patient.save(update_fields=VISIT_SUMMARY)
    return Visit.objects.select_related("patient").get(pk=visit.pk)
