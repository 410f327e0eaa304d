"""One patient's whole record in one file."""

import io
import json
import zipfile

import pytest

from audit.models import Entry
from diagnosis.readings import record_first_look
from diagnosis.services import move_film, sign_reading
from patients.exporting import export_patient
from tests.accounts.factories import (
    client_of,
    make_administrator,
    make_nurse,
    make_physician,
    make_radiographer,
)
from tests.diagnosis.factories import PICTURES, draw_png, make_film, make_result
from tests.patients.factories import make_visit
from xraydx.errors import Forbidden

pytestmark = pytest.mark.django_db


def test_the_record_holds_films_pictures_findings_and_readings() -> None:
    data = draw_png()
    film = make_film(data=data)
    analysis = make_result(film, child={"pneumonia": 0.7, "threshold": 0.4})
    record_first_look(analysis=analysis, by=make_physician(), impression="abnormal")
    sign_reading(analysis=analysis, by=make_physician(), verdict="agree", note="Seen.")
    archive = export_patient(patient=film.patient, by=make_administrator())
    with archive, zipfile.ZipFile(archive) as zipped:
        record = json.loads(zipped.read("record.json"))
        (told,) = record["films"]
        (read,) = told["analyses"]
        assert zipped.read(told["file"]) == data
        assert set(read["pictures"]) == set(PICTURES)
        assert all(zipped.read(name) for name in read["pictures"].values())
    assert record["patient"]["mrn"] == film.patient.mrn
    assert [visit["id"] for visit in record["visits"]] == [str(film.visit_id)]
    assert len(read["findings"]) == 13
    assert read["readings"][0]["note"] == "Seen."
    assert read["child"] == {"pneumonia": 0.7, "threshold": 0.4}
    assert read["first_looks"][0]["impression"] == "abnormal"


def test_the_record_says_from_where_a_film_was_moved() -> None:
    film, visit = make_film(), make_visit()
    move_film(film=film, visit=visit, reason="wrong wristband", by=make_radiographer())
    archive = export_patient(patient=visit.patient, by=make_administrator())
    with archive, zipfile.ZipFile(archive) as zipped:
        (told,) = json.loads(zipped.read("record.json"))["films"]
    (move,) = told["moves"]
    assert (move["reason"], move["to_visit_id"]) == ("wrong wristband", str(visit.pk))


def test_no_file_in_the_record_is_named_after_the_patient() -> None:
    film = make_result().film
    client = client_of(make_administrator())
    answer = client.post(f"/patients/{film.patient_id}/export/")
    names = zipfile.ZipFile(io.BytesIO(answer.getvalue())).namelist()
    said = [*names, answer.headers["Content-Disposition"]]
    assert not [text for text in said if "Kim" in text or film.patient.mrn in text]
    assert Entry.objects.get(action="patient.export").patient_id == film.patient_id


def test_a_nurse_takes_no_record_out() -> None:
    with pytest.raises(Forbidden):
        export_patient(patient=make_film().patient, by=make_nurse())
