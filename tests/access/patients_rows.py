"""Rows of the access matrix: patients and visits."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import User
from patients import services
from patients.merging import merge_patients
from patients.models import PatientImport
from tests.access.matrix import ALL_ROLES, Call, Row, with_capability
from tests.accounts.factories import make_administrator
from tests.patients.factories import close, left_ago, make_patient, make_visit

REGISTER = with_capability("register_patient")
EDIT = with_capability("edit_patient")
DELETE = with_capability("delete_patient")
RESTORE = with_capability("restore_patient")
ERASE = with_capability("erase_patient")
MERGE = with_capability("merge_patient")
IMPORT = with_capability("import_patients")
EXPORT = with_capability("export_patient")
BREAK_GLASS = with_capability("break_glass")
REASONS = with_capability("list_break_glass")
EVERYBODY = with_capability("view_every_patient")

PATIENT = {"mrn": "NEW1", "family_name": "Vo", "given_name": "Linh", "sex": "F"}
VISIT = {"triage_level": 3, "area": "A4", "chief_complaint": "Cough"}
EDITED = {"version": 1}

Build = Callable[[User | None], Call]


def in_er(actor: User | None) -> Call:
    return Call({"patient_id": make_visit().patient_id})


def without_visit(actor: User | None) -> Call:
    return Call({"patient_id": make_patient().pk})


def long_gone(actor: User | None) -> Call:
    return Call({"patient_id": left_ago(make_visit(), hours=73).patient_id})


def just_gone(actor: User | None) -> Call:
    return Call({"patient_id": left_ago(make_visit(), hours=71).patient_id})


def attended(actor: User | None) -> Call:
    patient = make_patient()
    if actor is not None:
        services.attend(actor, patient)
    return Call({"patient_id": patient.pk})


def unknown(actor: User | None) -> Call:
    return Call({"patient_id": uuid4()})


def deleted(actor: User | None) -> Call:
    patient = make_visit().patient
    services.delete_patient(patient=patient, by=make_administrator())
    return Call({"patient_id": patient.pk})


def open_visit(actor: User | None) -> Call:
    return Call({"visit_id": make_visit().pk})


def closed_visit(actor: User | None) -> Call:
    return Call({"visit_id": close(make_visit()).pk})


def hidden_visit(actor: User | None) -> Call:
    return Call({"visit_id": left_ago(make_visit(), hours=73).pk})


def unknown_visit(actor: User | None) -> Call:
    return Call({"visit_id": uuid4()})


def sending(data: dict[str, Any], build: Build = lambda actor: Call()) -> Build:
    """Return the same call with a body."""
    return lambda actor: Call(build(actor).kwargs, data)


def shows(name: str, who: frozenset[Any] = ALL_ROLES, *, api: bool = False) -> list[Row]:
    """Return the rows of a page that shows a patient, for every kind of patient."""
    few = who & EVERYBODY
    return [
        Row(name, "get", who, in_er, "in the ER", api=api),
        Row(name, "get", who, just_gone, "gone for 71 h", api=api),
        Row(name, "get", who, attended, "attended", api=api),
        Row(name, "get", few, without_visit, "never in the ER", refused=404, api=api),
        Row(name, "get", few, long_gone, "gone for 73 h", refused=404, api=api),
        Row(name, "get", (), deleted, "deleted", refused=404, api=api),
        Row(name, "get", (), unknown, "unknown", refused=404, api=api),
    ]


def two_here(actor: User | None) -> Call:
    data = {"keep": "this", "reason": "same wristband"}
    return Call({"patient_id": make_visit().patient_id, "other_id": make_patient().pk}, data)


def two_shown(actor: User | None) -> Call:
    return Call(two_here(actor).kwargs)


def merged_here(actor: User | None) -> Call:
    merge = merge_patients(
        kept=make_patient(), gone=make_patient(), reason="same wristband", by=make_administrator()
    )
    return Call({"merge_id": merge.pk})


def csv_sent(actor: User | None) -> Call:
    return Call(data={"file": SimpleUploadedFile("a.csv", b"family_name,mrn\nKim,C1\n,C2\n")})


def lines_own(actor: User | None) -> Call:
    lines = [{"number": 2, "mrn": "C1", "family_name": "Kim", "given_name": "", "sex": "F"}]
    lines[0] |= {"birth_date": "", "age_estimated": ""}
    errors = [{"number": 3, "column": "family_name", "text": "Missing."}]
    by = actor or make_administrator()
    return Call({"import_id": PatientImport.objects.create(by=by, lines=lines, errors=errors).pk})


def merges_made(actor: User | None) -> Call:
    merged_here(actor)
    return Call()


def shows_visit(name: str, *, api: bool = False) -> list[Row]:
    """Return the rows of a page that shows a visit."""
    return [
        Row(name, "get", ALL_ROLES, open_visit, "open", api=api),
        Row(name, "get", ALL_ROLES, closed_visit, "closed", api=api),
        Row(name, "get", EVERYBODY, hidden_visit, "gone for 73 h", refused=404, api=api),
        Row(name, "get", (), unknown_visit, "unknown", refused=404, api=api),
    ]


PAGES = [
    Row("patients:list", "get", ALL_ROLES),
    Row("patients:search", "post", ALL_ROLES, sending({"text": "vo"}), status=302),
    Row("patients:sort", "post", ALL_ROLES, sending({"sort": "name"}), status=302),
    Row("patients:register", "get", REGISTER),
    Row("patients:register", "post", REGISTER, sending(PATIENT | VISIT), status=302),
    Row("patients:deleted", "get", RESTORE),
    Row("patients:reasons", "get", REASONS),
    Row("patients:merges", "get", MERGE, merges_made),
    Row("patients:unmerge", "post", MERGE, merged_here, status=302),
    Row("patients:merge_choose", "get", MERGE, in_er),
    Row("patients:merge_choose", "post", MERGE, sending({"text": "vo"}, in_er)),
    Row("patients:merge", "get", MERGE, two_shown),
    Row("patients:merge", "post", MERGE, two_here, status=302),
    Row("patients:import", "get", IMPORT),
    Row("patients:import", "post", IMPORT, csv_sent, status=302),
    Row("patients:import_preview", "get", IMPORT, lines_own, "own"),
    Row("patients:import_register", "post", IMPORT, lines_own, "own", status=302),
    Row("patients:export", "post", EXPORT, in_er),
    *shows("patients:detail"),
    *shows("patients:history"),
    Row("patients:edit", "get", EDIT, in_er),
    Row("patients:edit", "post", EDIT, sending(PATIENT | EDITED, in_er), status=302),
    Row("patients:edit", "get", (), deleted, "deleted", refused=404),
    Row("patients:delete", "get", DELETE, in_er),
    Row("patients:delete", "post", DELETE, in_er, status=302),
    Row(
        "patients:unlock",
        "post",
        BREAK_GLASS,
        sending({"reason": "Came back"}, without_visit),
        status=302,
    ),
    Row("patients:restore", "post", RESTORE, deleted, status=302),
    Row("patients:erase", "get", ERASE, deleted),
    Row("patients:erase", "post", ERASE, sending({"sure": "on"}, deleted), status=302),
    Row("patients:visit_open", "get", REGISTER, in_er),
    Row("patients:visit_open", "post", REGISTER, sending(VISIT, attended), status=302),
    *shows_visit("patients:visit"),
    Row("patients:visit_edit", "get", EDIT, open_visit),
    Row("patients:visit_edit", "post", EDIT, sending(VISIT | EDITED, open_visit), status=302),
    Row("patients:visit_close", "post", EDIT, open_visit, status=302),
    Row("patients:visit_reopen", "post", EDIT, closed_visit, status=302),
]
API = [
    Row("api_patients", "get", ALL_ROLES, api=True),
    Row("api_patients", "post", REGISTER, sending(PATIENT), status=201, api=True),
    Row("api_patient_search", "post", ALL_ROLES, sending({"name": "vo"}), api=True, scope="read"),
    *shows("api_patient", api=True),
    Row("api_patient", "patch", EDIT, sending({"sex": "O"}, in_er), api=True),
    Row("api_patient", "delete", DELETE, in_er, status=204, api=True),
    *shows("api_patient_visits", api=True),
    Row("api_patient_visits", "post", REGISTER, sending(VISIT, in_er), status=201, api=True),
    *shows_visit("api_visit", api=True),
    Row("api_visit", "patch", EDIT, sending({"status": "closed"}, open_visit), api=True),
]
ROWS = PAGES + API
