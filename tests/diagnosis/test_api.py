"""Films and analyses as programs see them."""

import io
import time
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from audit.models import Entry
from diagnosis import films, pipeline, queue
from diagnosis.models import Analysis, Film
from ml.vocabulary import NAMES
from patients.models import Visit
from tests.accounts.factories import api_client, make_nurse
from tests.diagnosis.factories import draw_png, make_analysis, make_film, make_refusal, make_result
from tests.ml.imaging.files import dicom_bytes, make_dataset
from tests.patients.factories import make_patient, make_visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("tiny_release")]


@pytest.fixture
def client() -> Client:
    """A hospital's program with both scopes."""
    return api_client()


def send(
    client: Client,
    visit: Visit,
    data: bytes,
    *,
    name: str = "film.png",
    kind: str = "image/png",
    headers: dict[str, str] | None = None,
    **fields: str,
) -> Any:
    """Upload a film."""
    return client.post(
        f"/api/v1/visits/{visit.id}/films/",
        {"file": SimpleUploadedFile(name, data, kind), **fields},
        headers=headers or {},
    )


def read_all() -> None:
    """Do what the workers do."""
    while (claim := queue.claim_next(worker="tests@here")) is not None:
        pipeline.run(claim)


def test_an_upload_answers_with_the_analysis_and_where_it_is(client: Client) -> None:
    visit = make_visit()
    response = send(client, visit, draw_png())
    assert response.status_code == 202
    body = response.json()
    assert response["Location"] == f"http://testserver/api/v1/analyses/{body['id']}/"
    assert body["status"] == "queued"
    assert body["visit"] == str(visit.id)
    for key in ("reason", "finished_at", "quality", "top3", "findings", "lesions", "abnormal"):
        assert body[key] is None
    assert body["images"] == {}


def test_the_read_film_shows_everything(client: Client) -> None:
    visit = make_visit()
    location = send(client, visit, draw_png(3))["Location"]
    read_all()
    body = client.get(location).json()
    assert body["status"] == "succeeded"
    assert set(body["findings"]) == set(NAMES)
    assert [one["disease"] for one in body["top3"]] == sorted(
        body["findings"], key=lambda name: -body["findings"][name]
    )[:3]
    assert all(lesion["shown"] for lesion in body["lesions"])
    assert set(body["anomaly"]) == {"unet", "reversed_ae"}
    assert set(body["anatomy"]) == {"lung_fraction", "cardiothoracic_ratio"}
    assert body["release"] == "tiny"
    assert body["updated_at"] == body["finished_at"] > body["created_at"]
    for url in body["images"].values():
        picture = client.get(url)
        assert picture["Content-Type"] == "image/png"
        assert picture.content.startswith(b"\x89PNG")
    assert set(body["images"]) >= {"film", "boxes", "attention", "unet", "reversed_ae", "anatomy"}


def test_part_type_and_extension_do_not_matter(client: Client) -> None:
    response = send(
        client, make_visit(), draw_png(), name="scan.exe", kind="application/x-msdownload"
    )
    assert response.status_code == 202


def test_waiting_gives_the_result_with_200(client: Client) -> None:
    film_sent = draw_png()
    visit = make_visit()
    send(client, visit, film_sent)
    read_all()
    response = send(client, visit, film_sent, headers={"Prefer": "respond-async, wait=5"})
    assert response.status_code == 200
    assert response.json()["status"] == "succeeded"
    assert response["Preference-Applied"] == "wait=5"


def test_waiting_in_vain_gives_202_after_the_time(client: Client) -> None:
    begun = time.monotonic()
    response = send(client, make_visit(), draw_png(), headers={"Prefer": "wait=1"})
    assert response.status_code == 202
    assert 1.0 <= time.monotonic() - begun < 10


def test_the_same_bytes_are_the_same_film_and_the_existing_analysis(client: Client) -> None:
    visit, data = make_visit(), draw_png()
    first = send(client, visit, data).json()
    again = send(client, make_visit(visit.patient), data)
    assert again.status_code == 202
    assert again.json()["id"] == first["id"]
    assert Film.objects.count() == 1


def test_a_film_whose_reading_failed_is_read_again_when_sent_again(client: Client) -> None:
    visit, data = make_visit(), draw_png()
    first = send(client, visit, data).json()
    assert queue.cancel(first["id"])
    assert send(client, visit, data).json()["id"] != first["id"]


def test_another_patients_bytes_are_a_question(client: Client) -> None:
    data = draw_png()
    send(client, make_visit(), data)
    visit = make_visit()
    stopped = send(client, visit, data)
    assert stopped.status_code == 409
    assert stopped["Content-Type"] == "application/problem+json"
    assert stopped.json()["code"] == "bytes_of_another_patient"
    assert not visit.films.exists()
    confirmed = send(client, visit, data, confirm_patient="true")
    assert confirmed.status_code == 202
    assert visit.films.count() == 1
    entry = Entry.objects.filter(action="film.upload").latest("at")
    assert entry.detail == {"confirmed": ["bytes_of_another_patient"]}


def test_the_confirmation_may_stand_in_the_query_string(client: Client) -> None:
    data = draw_png()
    send(client, make_visit(), data)
    address = f"/api/v1/visits/{make_visit().id}/films/?confirm_patient=true"
    sent = client.post(address, {"file": SimpleUploadedFile("a", data)})
    assert sent.status_code == 202


def dicom(patient_id: str) -> bytes:
    """A small DICOM film that names this patient."""
    return dicom_bytes(make_dataset(PatientID=patient_id))


def test_a_patient_id_that_differs_is_a_question(client: Client) -> None:
    visit = make_visit(make_patient(mrn="A-77"))
    stopped = send(client, visit, dicom("B-88"), name="x.dcm")
    assert (stopped.status_code, stopped.json()["code"]) == (409, "patient_id_differs")
    assert "B-88" not in stopped.content.decode()
    confirmed = send(client, visit, dicom("B-88"), confirm_patient="true")
    assert confirmed.status_code == 202
    assert Film.objects.get().patient_id_matches is False
    assert "B-88" not in str(Film.objects.values().get())


def test_a_patient_id_that_fits_is_none(client: Client) -> None:
    sent = send(client, make_visit(make_patient(mrn="A-77")), dicom(" a-77"))
    assert sent.status_code == 202
    assert Film.objects.get().patient_id_matches is True


def test_an_unidentified_patient_has_no_number_to_differ_from(client: Client) -> None:
    visit = make_visit(make_patient(mrn=None))
    assert send(client, visit, dicom("ER-1")).status_code == 202
    make_patient(mrn="ER-2")
    other = make_visit(make_patient(mrn=None))
    assert send(client, other, dicom("ER-2")).json()["code"] == "patient_id_differs"


def test_a_key_makes_a_repeated_upload_harmless(client: Client) -> None:
    visit, data = make_visit(), draw_png()
    key = {"Idempotency-Key": "msg-1"}
    first = send(client, visit, data, headers=key).json()
    assert send(client, visit, data, headers=key).json()["id"] == first["id"]
    other = send(client, visit, draw_png(), headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert Film.objects.count() == 1
    assert send(api_client(), visit, draw_png(), headers=key).status_code == 202


@pytest.mark.parametrize("key", ["", "x" * 201, "naïve"])
def test_a_key_that_is_none_is_refused(client: Client, key: str) -> None:
    response = send(client, make_visit(), draw_png(), headers={"Idempotency-Key": key})
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_invalid")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"hello", "format_not_supported"),
        (draw_png(5)[:500], "truncated"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "format_not_supported"),
    ],
)
def test_a_file_that_no_decoder_opens_leaves_no_film(
    client: Client, data: bytes, code: str
) -> None:
    response = send(client, make_visit(), data)
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert not Film.objects.exists()
    assert not films.storage().exists("films")


def test_no_file_at_all_is_said(client: Client) -> None:
    visit = make_visit()
    response = client.post(f"/api/v1/visits/{visit.id}/films/", {"file": "text"})
    assert (response.status_code, response.json()["code"]) == (422, "file_missing")


def test_a_file_over_the_limit_is_not_stored(client: Client, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 100_000
    response = send(client, make_visit(), b"\x89PNG\r\n\x1a\n" + bytes(300_000))
    assert (response.status_code, response.json()["code"]) == (422, "too_large")
    assert not Film.objects.exists()


def test_an_unfit_film_becomes_a_refused_analysis(client: Client) -> None:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L", (300, 300), 255).save(buffer, "PNG")
    location = send(client, make_visit(), buffer.getvalue())["Location"]
    read_all()
    body = client.get(location).json()
    assert body["status"] == "refused"
    assert body["reason"] in {"blank", "low_contrast", "not_a_chest"}
    assert body["findings"] is None
    assert body["finished_at"] is not None


def test_reading_again_makes_a_new_analysis_and_keeps_the_old(client: Client) -> None:
    done = make_result()
    response = client.post(f"/api/v1/films/{done.film_id}/analyses/")
    assert response.status_code == 201
    body = response.json()
    assert body["id"] != str(done.id)
    assert response["Location"].endswith(f"/analyses/{body['id']}/")
    again = client.post(f"/api/v1/films/{done.film_id}/analyses/")
    assert (again.status_code, again.json()["id"]) == (200, body["id"])
    shown = client.get(f"/api/v1/films/{done.film_id}/").json()
    assert shown["analyses"] == [body["id"], str(done.id)]


def test_a_waiting_analysis_is_cancelled_once(client: Client) -> None:
    analysis = make_analysis()
    address = f"/api/v1/analyses/{analysis.id}/cancel/"
    assert client.post(address).json()["status"] == "cancelled"
    again = client.post(address)
    assert (again.status_code, again.json()["code"]) == (409, "analysis_final")


def test_a_film_moves_to_another_patient_and_both_histories_know(client: Client) -> None:
    film = make_result().film
    visit = make_visit()
    move = {"visit": str(visit.id), "reason": "Filed under the wrong name"}
    address = f"/api/v1/films/{film.id}/move/"
    body = client.post(address, move, content_type="application/json").json()
    assert (body["visit"], body["patient"]) == (str(visit.id), str(visit.patient_id))
    entries = Entry.objects.filter(action="film.move")
    assert {entry.patient_id for entry in entries} == {film.patient_id, visit.patient_id}
    listed = client.get(f"/api/v1/visits/{visit.id}/films/").json()["results"]
    assert [one["id"] for one in listed] == [str(film.id)]
    again = client.post(address, move, content_type="application/json")
    assert (again.status_code, again.json()["code"]) == (422, "film_not_moved")


def test_a_film_does_not_move_where_it_is_already(client: Client) -> None:
    data = draw_png()
    film, there = make_film(data=data), make_film(data=data)
    move = {"visit": str(there.visit_id), "reason": "mix-up"}
    response = client.post(f"/api/v1/films/{film.id}/move/", move, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (409, "film_already_there")


@pytest.mark.parametrize("body", [{}, {"visit": "x", "reason": "y"}, {"reason": "y"}])
def test_an_incomplete_move_names_the_fields(client: Client, body: dict[str, str]) -> None:
    film = make_film()
    response = client.post(f"/api/v1/films/{film.id}/move/", body, content_type="application/json")
    assert response.status_code == 422
    assert "visit" in response.json()["errors"]


def test_analyses_are_listed_by_status_and_change(client: Client) -> None:
    refused, done = make_refusal(), make_result()
    listed = client.get("/api/v1/analyses/?status=refused").json()["results"]
    assert [one["id"] for one in listed] == [str(refused.id)]
    long_ago = timezone.now() - timedelta(days=3)
    Analysis.objects.filter(id=refused.id).update(updated_at=long_ago)
    since = (long_ago + timedelta(hours=1)).isoformat()
    listed = client.get("/api/v1/analyses/", {"since": since}).json()["results"]
    assert [one["id"] for one in listed] == [str(done.id)]
    listed = client.get("/api/v1/analyses/", {"since": long_ago.isoformat()}).json()["results"]
    assert [one["id"] for one in listed] == [str(refused.id), str(done.id)]


@pytest.mark.parametrize("query", ["status=done", "since=yesterday", "since=2026-13-45T00:00Z"])
def test_filters_that_mean_nothing_are_refused(client: Client, query: str) -> None:
    assert client.get(f"/api/v1/analyses/?{query}").status_code == 422


def test_pages_of_analyses_go_on_by_cursor(client: Client) -> None:
    made = {str(make_refusal().id) for _ in range(5)}
    page = client.get("/api/v1/analyses/?page_size=2").json()
    seen = [one["id"] for one in page["results"]]
    while page["next"]:
        page = client.get(page["next"]).json()
        seen += [one["id"] for one in page["results"]]
    assert len(seen) == 5
    assert set(seen) == made


def test_a_deleted_film_is_gone_and_its_reading_stops(client: Client) -> None:
    analysis = make_analysis()
    assert client.delete(f"/api/v1/films/{analysis.film_id}/").status_code == 204
    assert client.get(f"/api/v1/films/{analysis.film_id}/").status_code == 404
    assert client.get(f"/api/v1/analyses/{analysis.id}/").status_code == 404
    analysis.refresh_from_db()
    assert analysis.status == "cancelled"


def test_a_token_for_reading_uploads_nothing() -> None:
    reader = api_client(make_nurse(), "read")
    assert send(reader, make_visit(), draw_png()).status_code == 403


def test_every_look_at_a_result_is_recorded(client: Client) -> None:
    done = make_result()
    client.get(f"/api/v1/analyses/{done.id}/")
    client.get(f"/api/v1/films/{done.film_id}/")
    client.get(f"/api/v1/analyses/{done.id}/images/boxes/")
    actions = Entry.objects.filter(patient_id=done.film.patient_id, via="api")
    assert set(actions.values_list("action", flat=True)) >= {
        "analysis.view",
        "film.view",
        "image.view",
    }


def test_a_picture_that_is_none_is_not_there(client: Client) -> None:
    done = make_result()
    assert client.get(f"/api/v1/analyses/{done.id}/images/secret/").status_code == 404
