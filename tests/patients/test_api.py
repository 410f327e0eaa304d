"""Patients and visits over REST."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import Entry
from patients.models import Patient
from tests.accounts.factories import api_client, make_nurse, make_physician, make_radiologist
from tests.patients.factories import make_patient, make_visit

pytestmark = pytest.mark.django_db
PATIENTS = "/api/v1/patients/"
KIM = {
    "mrn": "M-1",
    "family_name": "김",
    "given_name": "아라",
    "birth_date": "1970-03-05",
    "sex": "F",
    "age_estimated": None,
}


def send(client: Client, method: str, path: str, data: Any = None, **options: Any) -> Any:
    """Send JSON."""
    return getattr(client, method)(path, data, content_type="application/json", **options)


@pytest.fixture
def program() -> Client:
    """A hospital's program with both scopes."""
    return api_client()


def test_a_patient_is_registered_and_shown(program):
    made = send(program, "post", PATIENTS, KIM)
    assert made.status_code == 201
    body = made.json()
    assert {name: body[name] for name in KIM} == KIM
    assert body["temporary_id"] is None
    assert made["Location"].endswith(f"{PATIENTS}{body['id']}/")
    assert program.get(made["Location"]).json() == body


@pytest.mark.parametrize(
    "body",
    [
        {"family_name": "Unknown", "sex": "U", "age_estimated": 40},
        {"family_name": "Unknown", "mrn": ""},
        {"family_name": "Unknown", "mrn": None, "given_name": "", "birth_date": None},
    ],
)
def test_the_unidentified_get_a_temporary_number(program, body):
    made = send(program, "post", PATIENTS, body).json()
    assert made["temporary_id"].startswith("T-")
    assert made["mrn"] is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"family_name": ""}, "family_name"),
        ({"family_name": "a\x00b"}, "family_name"),
        ({"family_name": "x" * 121}, "family_name"),
        ({"sex": "X"}, "sex"),
        ({"birth_date": "05.03.1970"}, "birth_date"),
        ({"birth_date": "2999-01-01"}, "birth_date"),
        ({"birth_date": "1066-10-14"}, "birth_date"),
        ({"age_estimated": 131}, "age_estimated"),
        ({"age_estimated": -1}, "age_estimated"),
        ({"mrn": "x" * 65}, "mrn"),
        ({"mrn": "a\nb"}, "mrn"),
        ({"given_name": {"a": 1}}, "given_name"),
    ],
)
def test_an_invalid_value_is_named(program, change, field):
    answer = send(program, "post", PATIENTS, KIM | change)
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert list(answer.json()["errors"]) == [field]
    assert not Patient.objects.exists()


@pytest.mark.parametrize("body", [[], "text", 7, None])
def test_a_body_that_is_no_object_is_refused(program, body):
    for path in (PATIENTS, f"{PATIENTS}search/"):
        assert send(program, "post", path, [body]).status_code == 422


def test_malformed_json_is_refused(program):
    answer = program.post(PATIENTS, "{", content_type="application/json")
    assert answer.status_code == 400


def test_an_mrn_is_given_once(program):
    send(program, "post", PATIENTS, KIM)
    answer = send(program, "post", PATIENTS, KIM | {"mrn": "m-1 "})
    assert answer.status_code == 409
    assert answer.json()["code"] == "mrn_taken"
    assert "mrn" in answer.json()["errors"]


def test_a_change_touches_the_named_fields_only(program):
    patient = make_patient(family_name="Vo", given_name="Linh", sex="F")
    answer = send(program, "patch", f"{PATIENTS}{patient.pk}/", {"given_name": "Lan"})
    assert answer.status_code == 200
    assert (answer.json()["family_name"], answer.json()["given_name"]) == ("Vo", "Lan")
    assert answer.json()["sex"] == "F"


@pytest.mark.parametrize("how", ["body", "header"])
def test_of_two_simultaneous_changes_the_second_is_asked(program, how):
    address = f"{PATIENTS}{make_patient().pk}/"
    tag = program.get(address)["ETag"]
    assert tag == '"1"'
    for expected in (200, 409):
        body = {"given_name": f"after {expected}"}
        headers = {"If-Match": tag} if how == "header" else {}
        body |= {"version": 1} if how == "body" else {}
        assert send(program, "patch", address, body, headers=headers).status_code == expected
    assert program.get(address).json()["given_name"] == "after 200"


def test_a_deleted_patient_is_gone(program):
    address = f"{PATIENTS}{make_visit().patient_id}/"
    assert program.delete(address).status_code == 204
    assert program.get(address).status_code == 404
    assert program.delete(address).status_code == 404
    assert program.get(PATIENTS).json()["results"] == []


def test_the_list_goes_page_by_page(program):
    for _ in range(53):
        make_patient()
    first = program.get(PATIENTS).json()
    second = program.get(first["next"]).json()
    assert (len(first["results"]), len(second["results"])) == (50, 3)
    assert (first["previous"], second["next"]) == (None, None)
    assert program.get(second["previous"]).json()["results"] == first["results"]
    ids = [row["id"] for row in first["results"] + second["results"]]
    assert ids == [str(p.pk) for p in Patient.objects.order_by("-created_at", "-id")]


def test_no_address_of_a_page_holds_anything_of_a_patient(program):
    for number in range(51):
        make_patient(family_name="Verysecret", mrn=f"98765{number}")
    found = send(program, "post", f"{PATIENTS}search/", {"name": "verysecret"}).json()
    assert "ecret" not in found["next"]
    assert "98765" not in found["next"]
    rest = send(program, "post", found["next"], {"name": "verysecret"}).json()
    assert len(rest["results"]) == 1


@pytest.mark.parametrize(
    "criteria",
    [
        {"name": "ara"},
        {"name": "Kim A"},
        {"family_name": "kim"},
        {"given_name": "Ara"},
        {"family_name": "Kim", "given_name": "Ara"},
        {"mrn": "m-1"},
        {"text": "M-1"},
        {"birth_date": "1970-03-05"},
        {"name": "Kim", "birth_date": "1970-03-05", "status": "open"},
    ],
)
def test_a_search_finds(program, criteria):
    wanted = make_patient(mrn="M-1", family_name="Kim", given_name="Ara", birth_date="1970-03-05")
    make_visit(wanted)
    make_visit(make_patient(mrn="M-2", family_name="Vo", given_name="Linh"))
    found = send(program, "post", f"{PATIENTS}search/", criteria).json()["results"]
    assert [row["id"] for row in found] == [str(wanted.pk)]


@pytest.mark.parametrize("criteria", [{"nmae": "Kim"}, {"triage": 9}, {"birth_date": "x"}])
def test_a_search_that_is_not_understood_shows_nobody(program, criteria):
    make_patient()
    answer = send(program, "post", f"{PATIENTS}search/", criteria)
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == list(criteria)


@pytest.mark.parametrize("query", ["mrn=M-1", "name=Kim", "triage=x", "cursor=x", "status=none"])
def test_only_what_tells_nothing_may_stand_in_an_address(program, query):
    assert program.get(f"{PATIENTS}?{query}").status_code == 422


def test_the_list_is_filtered(program):
    visit = make_visit(triage_level=2, area="Resus")
    make_visit(triage_level=3)
    make_patient()
    for query in ("triage=2", "area=resus", "triage=2&area=Resus&status=open"):
        rows = program.get(f"{PATIENTS}?{query}").json()["results"]
        assert [row["id"] for row in rows] == [str(visit.patient_id)]
    assert len(program.get(f"{PATIENTS}?status=open").json()["results"]) == 2


def test_a_visit_is_opened_changed_closed_and_reopened(program):
    patient, physician = make_patient(), make_physician()
    visits = f"{PATIENTS}{patient.pk}/visits/"
    body = {"triage_level": 2, "area": "A4", "chief_complaint": "Cough"}
    made = send(program, "post", visits, body)
    assert made.status_code == 201
    visit = made.json()
    assert {name: visit[name] for name in body} == body
    assert (visit["patient"], visit["status"]) == (str(patient.pk), "open")
    address = made["Location"]
    assert program.get(address).json() == visit
    changed = send(program, "patch", address, {"attending": str(physician.pk), "triage_level": 1})
    assert (changed.json()["attending"], changed.json()["triage_level"]) == (str(physician.pk), 1)
    closed = send(program, "patch", address, {"status": "closed"}).json()
    assert (closed["status"], closed["closed_at"] is None) == ("closed", False)
    assert send(program, "patch", address, {"status": "open"}).json()["closed_at"] is None
    moment = timezone.now().isoformat()
    assert send(program, "patch", address, {"closed_at": moment}).json()["status"] == "closed"
    assert [row["id"] for row in program.get(visits).json()["results"]] == [visit["id"]]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"triage_level": 0}, "triage_level"),
        ({"triage_level": 6}, "triage_level"),
        ({"triage_level": None}, "triage_level"),
        ({"area": "x" * 41}, "area"),
        ({"attending": str(uuid4())}, "attending"),
        ({"attending": "nobody"}, "attending"),
    ],
)
def test_an_invalid_visit_is_refused(program, change, field):
    address = f"{PATIENTS}{make_patient().pk}/visits/"
    answer = send(program, "post", address, {"triage_level": 3} | change)
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]


def test_nobody_but_a_physician_is_named_attending(program):
    address = f"{PATIENTS}{make_patient().pk}/visits/"
    body = {"triage_level": 3, "attending": str(make_radiologist().pk)}
    assert send(program, "post", address, body).status_code == 422


def test_a_visit_that_ends_in_the_future_is_refused(program):
    address = f"/api/v1/visits/{make_visit().pk}/"
    answer = send(program, "patch", address, {"closed_at": "2999-01-01T00:00:00Z"})
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == ["closed_at"]


def test_a_nurses_token_sees_what_the_nurse_sees():
    client = api_client(make_nurse())
    hidden, seen = make_patient(family_name="Vo"), make_visit(make_patient(family_name="Vo"))
    rows = send(client, "post", f"{PATIENTS}search/", {"name": "vo"}).json()["results"]
    assert [row["id"] for row in rows] == [str(seen.patient_id)]
    assert client.get(f"{PATIENTS}{hidden.pk}/").status_code == 404
    assert client.get(f"{PATIENTS}12/").status_code == 404


def test_who_registers_goes_on_with_the_patient():
    client = api_client(make_nurse())
    made = send(client, "post", PATIENTS, KIM).json()
    visits = f"{PATIENTS}{made['id']}/visits/"
    assert send(client, "post", visits, {"triage_level": 3}).status_code == 201


def test_every_read_and_change_is_audited(program):
    made = send(program, "post", PATIENTS, KIM).json()
    address = f"{PATIENTS}{made['id']}/"
    program.get(address)
    send(program, "patch", address, {"sex": "O"})
    program.get(PATIENTS)
    send(program, "post", f"{PATIENTS}search/", {"name": "김"})
    visit = send(program, "post", f"{address}visits/", {"triage_level": 3}).json()
    program.get(f"/api/v1/visits/{visit['id']}/")
    program.get(f"{address}visits/")
    program.delete(address)
    actions = list(Entry.objects.order_by("pk").values_list("action", "via"))
    assert [a for a in actions if a[0].split(".")[0] in {"patient", "visit"}] == [
        ("patient.register", "api"),
        ("patient.view", "api"),
        ("patient.edit", "api"),
        ("patient.list", "api"),
        ("patient.search", "api"),
        ("visit.open", "api"),
        ("visit.view", "api"),
        ("visit.list", "api"),
        ("patient.delete", "api"),
    ]
    assert "김" not in str(list(Entry.objects.values()))


def test_a_list_costs_the_same_queries_however_long_it_is(program, django_assert_max_num_queries):
    for _ in range(6):
        make_visit()
    with django_assert_max_num_queries(8):
        assert len(program.get(PATIENTS).json()["results"]) == 6
