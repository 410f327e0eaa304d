"""The pages of patients and visits."""

import re

import pytest
from django.urls import reverse

from audit.models import Entry
from patients.models import BreakGlass, Patient, Visit
from patients.services import edit_patient, edit_visit
from tests.accounts.factories import (
    client_of,
    make_administrator,
    make_nurse,
    make_physician,
    make_radiologist,
)
from tests.patients.factories import close, left_ago, make_patient, make_visit

pytestmark = pytest.mark.django_db
KIM = {
    "mrn": "M-1",
    "family_name": "Kim",
    "given_name": "Ara",
    "birth_date": "19700305",
    "sex": "F",
}
COUGH = {"triage_level": "2", "area": "A4", "chief_complaint": "Cough"}
REGISTER = "/patients/register/"


@pytest.fixture
def nurse():
    """A nurse's browser."""
    return client_of(make_nurse())


def page(patient, name="detail"):
    return reverse(f"patients:{name}", args=[patient.pk])


def test_registering_opens_the_visit_and_leads_to_where_films_are_sent(nurse):
    answer = nurse.post(REGISTER, KIM | COUGH, follow=True)
    visit = Visit.objects.get()
    assert answer.redirect_chain == [(f"/visits/{visit.pk}/", 302)]
    assert (visit.patient.mrn, str(visit.patient.birth_date)) == ("M-1", "1970-03-05")
    assert (visit.triage_level, visit.area, visit.is_open) == (2, "A4", True)
    assert "data-drop" in answer.content.decode()


def test_registering_without_a_visit_leads_to_the_patient(nurse):
    answer = nurse.post(REGISTER, KIM | {"only": "1"})
    assert answer["Location"] == page(Patient.objects.get())
    assert not Visit.objects.exists()


def test_the_unidentified_are_registered_without_a_name(nurse):
    nurse.post(REGISTER, {"unidentified": "on", "sex": "U", "age_estimated": "40"} | COUGH)
    patient = Patient.objects.get()
    assert (patient.family_name, patient.age) == ("Unidentified", 40)
    assert patient.temporary_id.startswith("T-")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"family_name": ""}, "tick that the patient is unidentified"),
        ({"sex": ""}, "Choose the sex"),
        ({"triage_level": ""}, "Choose a triage level"),
        ({"triage_level": "7"}, "Select a valid choice"),
        ({"birth_date": "1.2.3"}, "Write it as YYYY-MM-DD"),
        ({"birth_date": "2999-01-01"}, "in the future"),
        ({"age_estimated": "200"}, "from 0 to 130"),
    ],
)
def test_a_wrong_field_is_named_and_nobody_is_registered(nurse, change, said):
    answer = nurse.post(REGISTER, KIM | COUGH | change)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Patient.objects.exists()


def test_a_taken_mrn_asks_whether_it_is_the_same_person(nurse):
    holder = make_visit(make_patient(mrn="M-1", family_name="Vo")).patient
    answer = nurse.post(REGISTER, KIM | COUGH)
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "Is it the same person?" in text
    assert page(holder, "visit_open") in text
    assert "Vo" in text
    assert 'value="Kim"' in text


def test_a_taken_mrn_does_not_show_who_is_hidden(nurse):
    holder = make_patient(mrn="M-1", family_name="Verysecret")
    text = nurse.post(REGISTER, KIM | COUGH).content.decode()
    assert "Verysecret" not in text
    assert page(holder) in text


@pytest.mark.parametrize("typed", ["2000-02-29", "20000229", "2000.02.29", "29.02.2000"])
def test_a_birth_date_is_typed_in_several_ways(nurse, typed):
    nurse.post(REGISTER, KIM | COUGH | {"birth_date": typed})
    assert str(Patient.objects.get().birth_date) == "2000-02-29"


def test_a_search_is_kept_in_the_session_and_never_in_an_address(nurse):
    make_visit(make_patient(mrn="M-1", family_name="Nguyễn"))
    make_visit(make_patient(mrn="M-2", family_name="Vo"))
    answer = nurse.post("/patients/search/", {"text": "nguyen"}, follow=True)
    assert answer.redirect_chain == [("/patients/", 302)]
    text = answer.content.decode()
    assert "M-1" in text
    assert "M-2" not in text
    assert "nguyen" not in "".join(re.findall(r'(?:href|action)="([^"]*)"', text)).lower()
    assert "M-2" not in nurse.get("/patients/?status=open").content.decode()
    assert "M-2" in nurse.post("/patients/search/", {}, follow=True).content.decode()


def test_a_search_with_a_birth_date_that_is_none_is_named(nurse):
    answer = nurse.post("/patients/search/", {"birth_date": "soon"})
    assert answer.status_code == 422
    assert "Write it as YYYY-MM-DD" in answer.content.decode()


def test_whom_one_names_exactly_is_offered_with_a_reason(nurse):
    hidden = make_patient(mrn="M-1", family_name="Verysecret")
    text = nurse.post("/patients/search/", {"text": "m-1"}, follow=True).content.decode()
    assert page(hidden) in text
    assert "Verysecret" not in text


def test_the_list_opens_with_whom_the_er_has(nurse):
    make_visit(make_patient(mrn="HERE1"))
    close(make_visit(make_patient(mrn="GONE1")))
    text = nurse.get("/patients/").content.decode()
    assert ("HERE1" in text, "GONE1" in text) == (True, False)
    text = nurse.get("/patients/?status=all").content.decode()
    assert ("HERE1" in text, "GONE1" in text) == (True, True)


def test_the_order_stays_and_keeps_the_filters(nurse):
    for mrn, name in (("M-1", "Zorn"), ("M-2", "Abel")):
        make_visit(make_patient(mrn=mrn, family_name=name), triage_level=3)
    answer = nurse.post("/patients/sort/?triage=3&area=&status=open", {"sort": "name"})
    assert answer["Location"] == "/patients/?triage=3&status=open"
    text = nurse.get("/patients/").content.decode()
    assert text.index("Abel") < text.index("Zorn")


@pytest.mark.parametrize("query", ["triage=9", "status=x", "cursor=x"])
def test_a_filter_that_is_none_is_refused(nurse, query):
    assert nurse.get(f"/patients/?{query}").status_code == 422


def test_pages_are_turned_by_cursor():
    for number in range(27):
        make_patient(mrn=f"PAGE{number:02}")
    browser = client_of(make_radiologist())
    first = browser.get("/patients/?status=all").content.decode()
    following = re.search(r'rel="next" href="([^"]+)"', first)[1].replace("&amp;", "&")
    second = browser.get(following).content.decode()
    shown = [set(re.findall(r"PAGE\d\d", text)) for text in (first, second)]
    assert [len(numbers) for numbers in shown] == [25, 2]
    assert not shown[0] & shown[1]


@pytest.mark.parametrize("name", ["detail", "edit", "history", "delete", "visit_open"])
def test_no_page_title_names_a_patient(name):
    patient = make_visit(make_patient(family_name="Verysecret", mrn="98765")).patient
    text = client_of(make_administrator()).get(page(patient, name)).content.decode()
    title = re.search(r"<title>(.*?)</title>", text, re.DOTALL)[1]
    assert "Verysecret" in text
    assert "Verysecret" not in title
    assert "98765" not in title


def test_a_hidden_patient_and_an_unknown_one_show_the_same_page(nurse):
    hidden = make_patient()
    answers = [
        nurse.get(f"/patients/{key}/")
        for key in (hidden.pk, "00000000-0000-4000-8000-000000000000")
    ]
    texts = [
        re.sub(r"[0-9a-f-]{36}|csrf\S+ value=\S+|\{&quot;X-CSRF.*?\}", "", a.content.decode())
        for a in answers
    ]
    tokens = r'"X-CSRFToken": "[^"]+"'
    assert [a.status_code for a in answers] == [404, 404]
    assert re.sub(tokens, "", texts[0]) == re.sub(tokens, "", texts[1])
    assert "unlock" in texts[0]


def test_a_reason_opens_the_record_and_says_so(nurse):
    patient = make_patient(family_name="Verysecret")
    refused = nurse.post(page(patient, "unlock"), {"reason": " "})
    assert refused.status_code == 422
    answer = nurse.post(page(patient, "unlock"), {"reason": "Came back with pain"}, follow=True)
    text = answer.content.decode()
    assert "Verysecret" in text
    assert "You opened this record with a reason" in text
    text = client_of(make_administrator()).get("/patients/reasons/").content.decode()
    assert "Came back with pain" in text


def test_an_unknown_patient_is_not_opened_by_a_reason(nurse):
    answer = nurse.post(
        "/patients/00000000-0000-4000-8000-000000000000/unlock/", {"reason": "Came back"}
    )
    assert answer.status_code == 404
    assert not BreakGlass.objects.exists()


def test_an_edit_shows_in_the_history(nurse):
    patient = make_visit(make_patient(family_name="Unknown")).patient
    fields = KIM | {"version": "1"}
    assert nurse.post(page(patient, "edit"), fields)["Location"] == page(patient)
    text = nurse.get(page(patient, "history")).content.decode()
    assert "<del>Unknown</del>" in text
    assert "<ins>Kim</ins>" in text


def test_a_simultaneous_edit_shows_both_and_loses_nothing(nurse):
    patient = make_visit(make_patient(**KIM | {"birth_date": None})).patient
    edit_patient(patient=patient, by=make_physician(), changes={"given_name": "Theirs"})
    answer = nurse.post(page(patient, "edit"), KIM | {"given_name": "Mine", "version": "1"})
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "Theirs" in text
    assert 'value="Mine"' in text
    assert 'name="version" value="2"' in text
    nurse.post(page(patient, "edit"), KIM | {"given_name": "Mine", "version": "2"})
    patient.refresh_from_db()
    assert patient.given_name == "Mine"
    assert [c.values["given_name"] for c in patient.changes.filter(action="edited")] == [
        ["Ara", "Theirs"],
        ["Theirs", "Mine"],
    ]


def test_an_edit_to_a_taken_mrn_is_asked_about(nurse):
    make_visit(make_patient(mrn="M-9", family_name="Vo"))
    patient = make_visit(make_patient(mrn="M-1")).patient
    answer = nurse.post(page(patient, "edit"), KIM | {"mrn": "M-9", "version": "1"})
    assert answer.status_code == 409
    assert "Is it the same person?" in answer.content.decode()


def test_a_second_visit_is_asked_about(nurse):
    patient = make_visit().patient
    answer = nurse.post(page(patient, "visit_open"), COUGH)
    assert answer.status_code == 409
    assert "Is a second one meant?" in answer.content.decode()
    assert nurse.post(page(patient, "visit_open"), COUGH | {"second": "on"}).status_code == 302
    assert Visit.objects.count() == 2


def test_a_visit_is_edited_closed_and_reopened(nurse):
    visit = make_visit()
    address = f"/visits/{visit.pk}/"
    answer = nurse.post(f"{address}edit/", COUGH | {"area": "Resus", "version": "1"}, follow=True)
    assert "Resus" in answer.content.decode()
    text = nurse.post(f"{address}close/", follow=True).content.decode()
    assert "The visit is closed." in text
    assert "data-drop" not in text
    assert "data-drop" in nurse.post(f"{address}reopen/", follow=True).content.decode()


def test_a_simultaneous_edit_of_a_visit_shows_both(nurse):
    visit = make_visit(area="A4")
    edit_visit(visit=visit, by=make_physician(), changes={"area": "Theirs"})
    fields = COUGH | {"area": "Mine", "version": "1"}
    text = nurse.post(f"/visits/{visit.pk}/edit/", fields).content.decode()
    assert "Theirs" in text
    assert 'value="Mine"' in text
    assert 'name="version" value="2"' in text


def test_deleting_asks_first_and_an_administrator_brings_back_or_erases():
    admin = client_of(make_administrator())
    patient = make_visit(make_patient(mrn="M-77")).patient
    asked = client_of(make_physician()).get(page(patient, "delete"))
    assert "Delete this patient?" in asked.content.decode()
    assert client_of(make_physician()).post(page(patient, "delete")).status_code == 302
    assert "M-77" in admin.get("/patients/deleted/").content.decode()
    assert admin.post(page(patient, "restore"))["Location"] == page(patient)
    admin.post(page(patient, "delete"))
    assert admin.post(page(patient, "erase"), {}).status_code == 422
    assert admin.post(page(patient, "erase"), {"sure": "on"}).status_code == 302
    assert not Patient.objects.exists()


def test_a_patient_who_left_long_ago_shows_to_a_radiologist_with_all_visits():
    visit = left_ago(make_visit(), hours=500)
    text = client_of(make_radiologist()).get(page(visit.patient)).content.decode()
    assert f"/visits/{visit.pk}/" in text
    assert "Open a visit" not in text


def test_every_page_view_is_audited(nurse):
    visit = make_visit()
    nurse.get("/patients/")
    nurse.post("/patients/search/", {"text": "kim"}, follow=True)
    nurse.get(page(visit.patient))
    nurse.get(page(visit.patient, "history"))
    nurse.get(f"/visits/{visit.pk}/")
    seen = Entry.objects.filter(via="web").order_by("pk").values_list("action", flat=True)
    assert [action for action in seen if action.startswith(("patient.", "visit."))] == [
        "patient.list",
        "patient.search",
        "patient.view",
        "patient.view_history",
        "visit.view",
    ]


def test_the_list_costs_the_same_queries_however_long_it_is(nurse, django_assert_max_num_queries):
    for _ in range(8):
        make_visit(attending=make_physician())
    with django_assert_max_num_queries(10):
        nurse.get("/patients/?status=all")
