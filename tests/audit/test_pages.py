import csv
import io
import re
from pathlib import Path
from uuid import uuid4

import pytest
from django.test import Client

from audit.models import Entry
from audit.services import record
from audit.words import ACTIONS
from tests.accounts.factories import client_of, make_administrator, make_nurse

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def office() -> Client:
    return client_of(make_administrator())


def shown(client: Client, query: str = "") -> list[str]:
    """Return the actions that the list shows."""
    page = client.get(f"/audit/{query}")
    assert page.status_code == 200
    return [row.entry.action for row in page.context["entries"]]


def narrow(client: Client, **fields: str) -> int:
    return client.post("/audit/filter/", fields).status_code


def test_the_newest_come_first_fifty_a_page(office: Client) -> None:
    for number in range(60):
        record(actor=None, action=f"thing.step_{number}")
    first = office.get("/audit/")
    assert first.context["entries"][0].entry.action == "thing.step_59"
    assert len(first.context["entries"]) == 50
    older = office.get(first.context["next_url"])
    assert [row.entry.action for row in older.context["entries"]][-1] == "thing.step_0"


def test_the_filter_narrows_and_stays_out_of_the_address(office: Client) -> None:
    nurse, patient_id = make_nurse(username="ara.kim"), uuid4()
    record(actor=nurse, action="patient.view", patient_id=patient_id)
    record(actor=nurse, action="patient.edit", patient_id=uuid4())
    record(actor=None, action="film.upload", patient_id=patient_id)
    response = office.post("/audit/filter/", {"actor": "Ara.Kim"})
    assert response["Location"] == "/audit/"
    assert shown(office) == ["patient.edit", "patient.view"]
    narrow(office, actor="ara.kim", action="patient.view")
    assert shown(office) == ["patient.view"]
    narrow(office, action="patient")
    assert shown(office) == ["patient.edit", "patient.view"]
    narrow(office, patient=str(patient_id))
    assert shown(office) == ["film.upload", "patient.view"]
    narrow(office, via="web", action="patient")
    assert shown(office) == []
    narrow(office, clear="1")
    assert "film.upload" in shown(office)


def test_days_count_whole(office: Client) -> None:
    entry = record(actor=None, action="thing.happen")
    day = f"{entry.at:%Y-%m-%d}"
    narrow(office, since=day, until=day, action="thing")
    assert shown(office) == ["thing.happen"]
    narrow(office, until="2001-01-01")
    assert shown(office) == []


def test_a_user_name_that_nobody_has_and_an_odd_code_are_said(office: Client) -> None:
    page = office.post("/audit/filter/", {"actor": "ghost", "action": "drop table"})
    assert page.status_code == 422
    assert set(page.context["form"].errors) == {"actor", "action"}


@pytest.mark.parametrize("before", ["", "x", "-1", "1.5", "9" * 40, "١٢"])
def test_an_odd_cursor_is_no_fault(office: Client, before: str) -> None:
    assert office.get("/audit/", {"before": before}).status_code == 200


def test_the_export_holds_what_the_filter_lets_through(office: Client) -> None:
    record(actor=None, action="film.upload", detail={"bytes": 7})
    record(actor=None, action="patient.view")
    narrow(office, action="film.upload")
    response = office.post("/audit/export/")
    text = b"".join(response.streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["action"], row["detail"], row["via"]) for row in rows] == [
        ("film.upload", '{"bytes": 7}', "command")
    ]
    assert response["Content-Disposition"].startswith("attachment")


def test_looking_and_taking_out_are_recorded_themselves(office: Client) -> None:
    office.get("/audit/")
    office.post("/audit/export/")
    actions = Entry.objects.filter(action__startswith="audit.").order_by("id")
    assert [entry.action for entry in actions] == ["audit.view", "audit.export"]


def test_others_are_refused_and_that_is_recorded() -> None:
    nurse = make_nurse()
    ward = client_of(nurse)
    assert ward.get("/audit/").status_code == 403
    assert ward.post("/audit/filter/", {"action": "patient"}).status_code == 403
    assert ward.post("/audit/export/").status_code == 403
    refused = Entry.objects.filter(action="access.refused")
    assert {(entry.actor_id, entry.reason) for entry in refused} == {(nurse.pk, "read_audit")}
    assert refused.count() == 3


def test_a_page_of_entries_takes_a_bounded_number_of_queries(
    office: Client, django_assert_max_num_queries: object
) -> None:
    for _ in range(50):
        record(actor=make_nurse(), action="thing.happen")
    office.get("/audit/")
    with django_assert_max_num_queries(8):  # type: ignore[operator]
        office.get("/audit/")


def test_every_action_that_is_recorded_has_words() -> None:
    written = re.compile(r"\"((?:[a-z_]+)\.(?:[a-z_]+))\"")
    asked = re.compile(r"action=\"([a-z_]+\.[a-z_]+)\"")
    apps = ("accounts", "audit", "patients", "policy", "diagnosis", "worklist", "quality", "xraydx")
    source = [path.read_text() for app in apps for path in (ROOT / app).rglob("*.py")]
    recorded = {code for text in source for code in asked.findall(text)}
    known = {code for text in source for code in written.findall(text)}
    assert recorded <= set(ACTIONS)
    assert set(ACTIONS) <= known


def test_an_entry_is_shown_in_words_with_long_lists_folded(office: Client) -> None:
    ids = [str(uuid4()) for _ in range(5)]
    record(actor=None, action="worklist.view", detail={"studies": ids, "patients": []})
    text = office.get("/audit/").content.decode()
    assert "Worklist seen" in text
    assert 'title="worklist.view"' in text
    assert re.search(r"<summary><span class=\"muted\">studies</span> 5</summary>", text)
    assert '<span class="muted">patients</span>' not in text


def test_an_action_of_another_version_goes_by_its_code(office: Client) -> None:
    record(actor=None, action="thing.done")
    assert 'title="thing.done">thing.done</span>' in office.get("/audit/").content.decode()
