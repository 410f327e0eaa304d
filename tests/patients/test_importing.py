"""Patients from a CSV, line by line."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.utils import timezone

from audit.models import Entry
from patients.importing import MOST_LINES, read_csv, register_lines
from patients.models import Patient, PatientImport
from tests.accounts.factories import client_of, make_administrator, make_nurse
from tests.patients.factories import make_patient
from xraydx.errors import Conflict, Forbidden, NotFound, UserError

pytestmark = pytest.mark.django_db
HEAD = "mrn,family_name,given_name,birth_date,sex\n"


def faults(made: PatientImport) -> list[tuple[int, str]]:
    return [(error["number"], error["column"]) for error in made.errors]


def test_every_faulty_line_is_named_and_the_others_are_registered() -> None:
    make_patient(mrn="TAKEN")
    lines = ["1,Kim,Ara,1970-03-05,F", "2,,Nobody,,F", "1,Twice,,,M", "3,Vo,,2999-01-01,F"]
    lines += ["taken,Lee,,,M", "4,Cho,Min,1990-02-30,X", "", "5,Nguyễn,Thị,19800101,female"]
    admin = make_administrator()
    made = read_csv(data=(HEAD + "\n".join(lines)).encode(), by=admin)
    assert faults(made) == [
        (3, "family_name"),
        (4, "mrn"),
        (5, "birth_date"),
        (6, "mrn"),
        (7, "sex"),
        (7, "birth_date"),
    ]
    assert not Patient.objects.filter(mrn="1").exists()
    done = register_lines(import_id=made.pk, by=admin)
    assert done.registered == 2
    assert done.lines == []
    assert Patient.objects.get(mrn="5").sex == "F"
    with pytest.raises(Conflict):
        register_lines(import_id=made.pk, by=admin)


def test_a_number_that_went_to_another_meanwhile_is_named_and_the_rest_goes_on() -> None:
    admin = make_administrator()
    made = read_csv(data=(HEAD + "1,Kim,,,F\n2,Vo,,,F").encode(), by=admin)
    make_patient(mrn="1")
    done = register_lines(import_id=made.pk, by=admin)
    assert (done.registered, faults(done)) == (1, [(2, "mrn")])


@pytest.mark.parametrize(
    "data",
    [
        (HEAD + "1,김,아라,,F").encode("utf-8-sig"),
        (HEAD + "1,김,아라,,F").encode("utf-16"),
        (HEAD + "1,김,아라,,F").replace(",", ";").encode(),
        (HEAD + "1,김,아라,,F").replace(",", "\t").replace("\n", "\r\n").encode(),
        b'Sex;"Family name";MRN\nF;"\xea\xb9\x80";1\n',
    ],
)
def test_files_as_spreadsheets_write_them_are_read(data: bytes) -> None:
    (line,) = read_csv(data=data, by=make_administrator()).lines
    assert (line["family_name"], line["mrn"], line["sex"]) == ("김", "1", "F")


TOO_LONG = (HEAD + "1\n" * (MOST_LINES + 1)).encode()


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG\r\n\x1a\n\0\0", b"a,b\n1,2", b"\xff\xfe\x00", TOO_LONG]
)
def test_what_is_no_list_of_patients_is_refused_whole(data: bytes) -> None:
    with pytest.raises(UserError):
        read_csv(data=data, by=make_administrator())
    assert not PatientImport.objects.exists()


def test_only_an_administrator_imports_and_only_their_own() -> None:
    with pytest.raises(Forbidden):
        read_csv(data=HEAD.encode(), by=make_nurse())
    made = read_csv(data=(HEAD + "1,Kim,,,F").encode(), by=make_administrator())
    with pytest.raises(NotFound):
        register_lines(import_id=made.pk, by=make_administrator())


def test_the_pages_show_lines_and_faults_and_register() -> None:
    client = client_of(make_administrator())
    file = SimpleUploadedFile("list.csv", (HEAD + "1,Kim,Ara,,F\n2,,,,F").encode())
    preview = client.post("/patients/import/", {"file": file}).headers["Location"]
    text = client.get(preview).content.decode()
    assert "Kim" in text
    assert "1 line is left out" in text
    client.post(f"{preview}register/")
    assert "1 patient registered" in client.get(preview).content.decode()
    assert Entry.objects.get(action="patient.import").detail == {"registered": 1, "refused": 0}


def test_lines_that_nobody_registers_are_forgotten_after_a_day() -> None:
    made = read_csv(data=(HEAD + "1,Kim,,,F").encode(), by=make_administrator())
    PatientImport.objects.filter(pk=made.pk).update(at=timezone.now() - timedelta(hours=25))
    call_command("run_clock", once=True)
    assert not PatientImport.objects.exists()


def test_a_line_with_more_fields_than_names_is_a_fault_and_not_cut() -> None:
    data = b"family_name,given_name\nKim,Ara\nVo,Linh,1980-01-01\nLee,Jun,,\n"
    made = read_csv(data=data, by=make_administrator())
    assert faults(made) == [(3, "")]
    assert [line["family_name"] for line in made.lines] == ["Kim", "Lee"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"family_name,mrn,MRN\nKim,1,2", "csv_columns"),
        (b"family_name" + b"x" * 200_000 + b"\nKim", "csv_unreadable"),
        (b"family_name\n" + b"x" * 200_000, "csv_unreadable"),
        ("family_name\n김아".encode("cp949"), "csv_unreadable"),
        ("family_name\n김아라".encode("cp949") + b"\n", "csv_unreadable"),
        (b"", "csv_columns"),
        (b"family_name\n" + b"Kim\n" * 1_100_000, "csv_too_long"),
    ],
    ids=["column twice", "long head", "long field", "even bytes", "odd bytes", "empty", "large"],
)
def test_a_file_that_cannot_be_told_apart_is_refused_whole(data: bytes, code: str) -> None:
    with pytest.raises(UserError, match=code):
        read_csv(data=data, by=make_administrator())
    assert not PatientImport.objects.exists()
