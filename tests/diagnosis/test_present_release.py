"""The release that ships, on films that the generator makes."""

import os
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from diagnosis import pipeline, queue, selectors
from ml.imaging.synthetic import sample_film
from ml.imaging.write import to_dicom, to_png
from ml.vocabulary import NAMES
from tests.accounts.factories import api_client
from tests.patients.factories import make_visit

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _as_shipped(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Any:
    """The networks of the repository, whatever the environment says."""
    monkeypatch.delenv("XRAYDX_WEIGHTS", raising=False)
    settings.RELEASE = ""
    monkeypatch.setattr(pipeline, "_loaded", None)
    assert "XRAYDX_WEIGHTS" not in os.environ
    yield
    pipeline._loaded = None


@pytest.mark.parametrize("kind", ["png", "dicom"])
def test_a_synthetic_film_is_read_from_upload_to_result(kind: str) -> None:
    data = (
        to_png(sample_film(3, 1024))
        if kind == "png"
        else to_dicom(sample_film(4, (3000, 2500)), name="Sample")
    )
    client, visit = api_client(), make_visit()
    file = SimpleUploadedFile("film", data, "application/octet-stream")
    address = f"/api/v1/visits/{visit.id}/films/"
    sent = client.post(address, {"file": file, "confirm_patient": "true"})
    assert sent.status_code == 202, sent.content
    claim = queue.claim_next(worker="tests@here")
    assert claim is not None
    pipeline.run(claim)
    body = client.get(sent["Location"]).json()
    assert (body["status"], body["reason"]) == ("succeeded", None)
    assert set(body["findings"]) == set(NAMES)
    assert body["release"] == selectors.current_release()
    assert len(body["images"]) >= 6
