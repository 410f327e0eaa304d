"""One patient's whole record in one file, for the patient or another hospital."""

import json
import tempfile
import zipfile
from collections.abc import Iterable
from typing import IO, Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model
from django.utils import timezone

from accounts.models import User
from accounts.permissions import Capability, require
from audit.services import record
from patients import hooks
from patients.models import Patient, PatientChange, Visit

FORMAT = 1
IN_MEMORY_BYTES = 8 * 1024 * 1024
PATIENT = ("mrn", "temporary_id", "family_name", "given_name", "birth_date", "age_estimated", "sex")
VISIT = ("triage_level", "area", "chief_complaint", "opened_at", "closed_at")


def export_patient(*, patient: Patient, by: User) -> IO[bytes]:
    """Return a ZIP: record.json, and the films, pictures and reports that it names.

    Its files are named by ids. raises: Forbidden
    """
    require(by, Capability.export_patient, target=patient, patient_id=patient.pk)
    record(actor=by, action="patient.export", target=patient, patient_id=patient.pk)
    archive: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115
    parts = [export(patient, by) for export in hooks.exporters]
    document = _document(patient)
    for part in parts:
        document |= part.documents
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as zipped:
        text = json.dumps(document, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1)
        zipped.writestr("record.json", text, zipfile.ZIP_DEFLATED)
        for part in parts:
            for name, data in part.files:
                zipped.writestr(name, data)
    archive.seek(0)
    return archive


def fields_of(row: Model, names: Iterable[str]) -> dict[str, Any]:
    """Return these values of a row, by name."""
    return {name: getattr(row, name) for name in names}


def _document(patient: Patient) -> dict[str, Any]:
    visits = patient.visits.select_related("attending").order_by("opened_at", "id")
    changes = patient.changes.select_related("by").order_by("at", "id")
    return {
        "format": FORMAT,
        "exported_at": timezone.now(),
        "patient": {"id": patient.pk, **fields_of(patient, PATIENT)},
        "merged_numbers": [row.number for row in patient.merged.all()],
        "visits": [_visit(visit) for visit in visits],
        "changes": [_change(change) for change in changes],
    }


def _visit(visit: Visit) -> dict[str, Any]:
    return {
        "id": visit.pk,
        **fields_of(visit, VISIT),
        "attending": str(visit.attending) if visit.attending else None,
    }


def _change(change: PatientChange) -> dict[str, Any]:
    return {
        "at": change.at,
        "by": str(change.by) if change.by else None,
        "action": change.action,
        "visit": change.visit_id,
        "values": change.values,
    }
