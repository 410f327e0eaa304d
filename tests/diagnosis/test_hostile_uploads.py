"""Files that nobody should send: each gets a clear answer, and none leaves a trace."""

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from diagnosis.messages import UNDECODABLE
from diagnosis.models import Film
from tests.accounts.factories import api_client
from tests.ml.imaging.hostile import OPENS, hostile_files
from tests.patients.factories import make_visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("tiny_release")]


# Some name a patient of their own, which is a question of another test.
CONFIRMED = {"confirm_patient": "true"}


@pytest.mark.timeout(300)
def test_every_hostile_file_is_answered_and_leaves_no_film_unless_it_opens() -> None:
    client, wrong, count = api_client(), [], 0
    for hostile in hostile_files():
        count += 1
        visit = make_visit()
        file = SimpleUploadedFile(f"{count}.dcm", hostile.data, "application/dicom")
        response = client.post(f"/api/v1/visits/{visit.id}/films/", {"file": file, **CONFIRMED})
        kept = Film.objects.filter(visit=visit).count()
        if response.status_code == 202:
            right = OPENS in hostile.codes and kept == 1
        else:
            body = response.json()
            right = (
                response.status_code == 422
                and response["Content-Type"] == "application/problem+json"
                and body["code"] in hostile.codes & UNDECODABLE.keys()
                and bool(body["title"])
                and bool(body["detail"])
                and kept == 0
            )
        if not right:
            wrong.append((hostile.name, response.status_code, response.content[:120]))
    assert count >= 60
    assert wrong == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no multipart at all",
        b"--b\r\n",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n',
        b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
        + b"x" * 2_000_000
        + b"\r\n--b--",
        b'--b\r\nContent-Disposition: form-data; name="other"; filename="a"\r\n\r\nx\r\n--b--',
    ],
)
def test_a_broken_form_is_the_senders_fault(body: bytes) -> None:
    response = api_client().post(
        f"/api/v1/visits/{make_visit().id}/films/",
        io.BytesIO(body).getvalue(),
        content_type="multipart/form-data; boundary=b",
    )
    assert response.status_code in {400, 413, 422}
    assert response["Content-Type"] == "application/problem+json"
    assert not Film.objects.exists()
