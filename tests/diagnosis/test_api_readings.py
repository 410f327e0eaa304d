"""Signed readings as programs see them: every version, in pages, never to be changed."""

from datetime import timedelta

import pytest
from django.test import Client

from audit.models import Entry
from diagnosis.models import Analysis, Reading
from diagnosis.readings import Added
from diagnosis.services import sign_reading
from tests.accounts.factories import api_client, make_nurse, make_physician
from tests.diagnosis.factories import make_film, make_result
from tests.patients.factories import left_ago, make_visit

pytestmark = pytest.mark.django_db
KIM = "Dr Kim"


@pytest.fixture
def client() -> Client:
    """A hospital's program that reads only."""
    return api_client(None, "read")


def sign(analysis: Analysis, **values: object) -> Reading:
    by = make_physician(full_name=KIM)
    return sign_reading(analysis=analysis, by=by, **values)  # type: ignore[arg-type]


def test_a_reading_holds_verdicts_what_was_missed_words_and_who(client: Client) -> None:
    analysis = make_result()
    signed = sign(
        analysis,
        findings={"Effusion": "agree", "Pneumothorax": "disagree"},
        added=[Added("Nodule", "left", (0.1, 0.2, 0.3, 0.4))],
        report="Effusion on the right.",
        note="Told the ward.",
    )
    body = client.get(f"/api/v1/readings/{signed.id}/").json()
    assert body["analysis"] == str(analysis.id)
    assert body["film"] == str(analysis.film_id)
    assert body["patient"] == str(analysis.film.patient_id)
    assert (body["version"], body["is_last"], body["verdict"]) == (1, True, "disagree")
    assert body["findings"] == {"Effusion": "agree", "Pneumothorax": "disagree"}
    assert body["missed"] == [{"code": "Nodule", "words": "left", "box": [0.1, 0.2, 0.3, 0.4]}]
    assert (body["report"], body["note"]) == ("Effusion on the right.", "Told the ward.")
    assert body["signed_by"] == {"id": str(signed.signed_by_id), "name": KIM}
    assert body["signed_at"]


def test_an_amendment_is_a_version_and_the_last_one_is_named(client: Client) -> None:
    analysis = make_result()
    for verdict in ("agree", "unsure"):
        sign(analysis, verdict=verdict)
    rows = client.get(f"/api/v1/analyses/{analysis.id}/readings/").json()["results"]
    assert [(row["version"], row["verdict"], row["is_last"]) for row in rows] == [
        (2, "unsure", True),
        (1, "agree", False),
    ]


def test_all_come_in_pages_and_since_a_moment_in_the_order_of_signing(client: Client) -> None:
    signed = [sign(make_result(), verdict="agree") for _ in range(3)]
    page = client.get("/api/v1/readings/?page_size=2").json()
    assert len(page["results"]) == 2
    rest = client.get(page["next"]).json()
    assert rest["next"] is None
    ids = [row["id"] for row in page["results"] + rest["results"]]
    assert sorted(ids) == sorted(str(one.id) for one in signed)
    newest = max(one.signed_at for one in Reading.objects.all())
    later = (newest + timedelta(seconds=1)).isoformat().replace("+", "%2B")
    assert client.get(f"/api/v1/readings/?since={later}").json()["results"] == []
    assert client.get("/api/v1/readings/?since=yesterday").status_code == 422


def test_nothing_can_be_written(client: Client) -> None:
    signed = sign(make_result(), verdict="agree")
    writer = api_client()
    for address in ("/api/v1/readings/", f"/api/v1/readings/{signed.id}/"):
        for method in ("post", "put", "patch", "delete"):
            assert getattr(writer, method)(address).status_code == 405


def test_what_one_may_not_see_is_not_there_and_a_look_is_on_record(client: Client) -> None:
    here, gone = make_result(), make_result(make_film(left_ago(make_visit(), hours=24 * 30)))
    signed = [sign(analysis, verdict="agree") for analysis in (here, gone)]
    nurse = api_client(make_nurse(), "read")
    rows = nurse.get("/api/v1/readings/").json()["results"]
    assert [row["id"] for row in rows] == [str(signed[0].id)]
    assert nurse.get(f"/api/v1/readings/{signed[1].id}/").status_code == 404
    client.get(f"/api/v1/readings/{signed[0].id}/")
    entry = Entry.objects.get(action="reading.view")
    assert entry.patient_id == here.film.patient_id


def test_a_list_costs_the_same_number_of_queries_whatever_its_length(
    client: Client, django_assert_max_num_queries: object
) -> None:
    for _ in range(4):
        sign(make_result(), verdict="agree")
    with django_assert_max_num_queries(8):  # type: ignore[operator]
        assert len(client.get("/api/v1/readings/").json()["results"]) == 4
