"""Finding patients, page by page."""

from datetime import date

import pytest

from patients import selectors, services
from patients.criteria import Criteria, Cursor
from patients.models import SearchKey
from tests.accounts.factories import make_administrator, make_nurse, make_radiologist
from tests.patients.factories import close, make_patient, make_visit
from xraydx.errors import UserError

pytestmark = pytest.mark.django_db


def found(user=None, **criteria):
    page = selectors.search_patients(user or make_radiologist(), Criteria(**criteria))
    return {patient.mrn for patient in page.rows}


@pytest.mark.parametrize(
    "typed", ["nguyen", "Nguyễn", "NGUYỄN THỊ", "linh", "thi linh", "Linh Nguyễn", "Ngu"]
)
def test_a_vietnamese_name_is_found_with_and_without_accents(typed):
    make_patient(mrn="V1", family_name="Nguyễn", given_name="Thị Linh")
    make_patient(mrn="V2", family_name="Trần", given_name="Văn An")
    assert found(text=typed) == {"V1"}
    assert found(name=typed) == {"V1"}


@pytest.mark.parametrize("typed", ["김", "김아라", "김 아라", "아라", "김아"])
def test_a_korean_name_is_found_with_and_without_a_space(typed):
    make_patient(mrn="K1", family_name="김", given_name="아라")
    make_patient(mrn="K2", family_name="기", given_name="성용")
    assert found(text=typed) == {"K1"}


def test_a_name_is_not_found_from_its_middle():
    make_patient(mrn="V1", family_name="Nguyễn", given_name="Linh")
    assert found(text="guyen") == set()


@pytest.mark.parametrize("typed", ["ab-12", "AB-1234", " ab-1234 "])
def test_a_record_number_is_found_by_its_beginning(typed):
    make_patient(mrn="AB-1234")
    make_patient(mrn="AB-9999")
    assert found(text=typed) == {"AB-1234"}
    assert found(mrn=typed) == {"AB-1234"}


def test_an_unidentified_patient_is_found_by_the_temporary_number_even_once_named():
    patient = make_patient(mrn=None, family_name="Unknown", given_name="")
    services.edit_patient(patient=patient, by=make_administrator(), changes={"mrn": "M77"})
    assert found(text=patient.temporary_id.lower()) == {"M77"}
    assert found(mrn="m77") == {"M77"}


def test_a_birth_date_is_found_in_its_field_and_in_the_box():
    make_patient(mrn="B1", birth_date=date(1970, 3, 5))
    make_patient(mrn="B2", birth_date=date(1970, 3, 6))
    assert found(birth_date=date(1970, 3, 5)) == {"B1"}
    assert found(text="1970-03-05") == {"B1"}


def test_criteria_narrow_each_other():
    make_patient(mrn="C1", family_name="Vo", birth_date=date(1970, 3, 5))
    make_patient(mrn="C2", family_name="Vo", birth_date=date(1980, 3, 5))
    assert found(name="vo", birth_date=date(1980, 3, 5)) == {"C2"}


@pytest.mark.parametrize("typed", ["--", "%", "_", "' OR 1=1", "\\"])
def test_signs_find_nobody(typed):
    make_patient()
    assert found(text=typed) == set()


def test_a_changed_name_is_found_under_the_new_one_only():
    patient = make_patient(mrn="C1", family_name="Unknown", given_name="")
    services.edit_patient(patient=patient, by=make_nurse(), changes={"family_name": "Vo"})
    assert (found(text="vo"), found(text="unknown")) == ({"C1"}, set())
    assert SearchKey.objects.filter(patient=patient).count() == 2


def test_a_search_shows_only_whom_one_may_see():
    make_patient(mrn="H1", family_name="Vo")
    make_visit(make_patient(mrn="S1", family_name="Vo"))
    assert found(make_nurse(), text="vo") == {"S1"}


def test_filters_of_the_last_visit():
    make_visit(make_patient(mrn="A"), triage_level=2, area="A4")
    make_visit(make_patient(mrn="B"), triage_level=3, area="B1")
    close(make_visit(make_patient(mrn="C"), triage_level=2, area="a4"))
    make_patient(mrn="D")
    assert found(triage=2) == {"A", "C"}
    assert found(area="A4") == {"A", "C"}
    assert found(status="open") == {"A", "B"}
    assert found(status="closed") == {"C", "D"}
    assert found(status="open", triage=2, area="a4") == {"A"}


@pytest.mark.parametrize("sort", ["arrived", "urgent", "name", "registered"])
def test_pages_show_everybody_once_in_both_directions(sort):
    user = make_radiologist()
    for number in range(7):
        visit = make_visit(make_patient(family_name="Same"), triage_level=1 + number % 3)
        if number % 2:
            close(visit)
    criteria = Criteria(sort=sort)
    whole = selectors.search_patients(user, criteria, size=100).rows
    forward, cursor = [], ""
    while True:
        page = selectors.search_patients(user, criteria, cursor, size=2)
        forward += page.rows
        if not page.next:
            break
        cursor = page.next
    assert forward == whole
    backward, cursor = page.rows, page.previous
    while cursor:
        page = selectors.search_patients(user, criteria, cursor, size=2)
        backward = page.rows + backward
        cursor = page.previous
    assert backward == whole


def test_the_first_page_has_none_before_and_a_single_one_none_behind():
    user = make_radiologist()
    make_patient()
    page = selectors.search_patients(user, Criteria())
    assert (page.previous, page.next) == ("", "")


def test_a_page_goes_on_behind_a_row_that_was_deleted():
    user = make_radiologist()
    patients = [make_patient() for _ in range(3)]
    page = selectors.search_patients(user, Criteria(sort="registered"), size=1)
    services.delete_patient(patient=patients[2], by=make_administrator())
    page = selectors.search_patients(user, Criteria(sort="registered"), page.next, size=5)
    assert page.rows == [patients[1], patients[0]]


def test_a_cursor_tells_nothing_but_an_id():
    patient = make_patient(family_name="Verysecret", mrn="98765")
    text = Cursor("after", patient.pk).encode()
    assert patient.pk.hex in text
    assert "secret" not in text.lower()


@pytest.mark.parametrize("cursor", ["x", "a~b", "a" + "0" * 32 + "~forged"])
def test_a_made_up_cursor_is_refused(cursor):
    with pytest.raises(UserError, match="cursor_invalid"):
        selectors.search_patients(make_radiologist(), Criteria(), cursor)


def test_the_urgent_come_first_and_the_longest_waiting_among_equals():
    for mrn, level in [("late3", 3), ("one", 1), ("later3", 3)]:
        make_visit(make_patient(mrn=mrn), triage_level=level)
    close(make_visit(make_patient(mrn="gone"), triage_level=1))
    rows = selectors.search_patients(make_radiologist(), Criteria(sort="urgent")).rows
    assert [row.mrn for row in rows] == ["one", "late3", "later3", "gone"]


@pytest.mark.parametrize("sort", ["arrived", "name"])
@pytest.mark.parametrize("many", [0, 20_000])
def test_many_matches_are_looked_up_another_way_with_the_same_result(monkeypatch, many, sort):
    monkeypatch.setattr(selectors, "MANY_MATCHES", many)
    make_patient(mrn="N1", family_name="Nguyễn", given_name="Nguyên")
    make_patient(mrn="N2", family_name="Vo", given_name="Nguyen")
    make_patient(mrn="V1", family_name="Vo")
    page = selectors.search_patients(make_radiologist(), Criteria(text="nguy", sort=sort))
    assert sorted(patient.mrn for patient in page.rows) == ["N1", "N2"]


def test_whom_one_names_exactly_is_offered_outside_ones_view():
    hidden = make_patient(
        mrn="H-1", family_name="Vo", given_name="Linh", birth_date=date(1970, 3, 5)
    )
    nurse = make_nurse()

    def offered(**criteria):
        return selectors.matches_elsewhere(nurse, Criteria(**criteria))

    assert offered(text="h-1") == [hidden]
    assert offered(mrn="H-1") == [hidden]
    assert offered(text=hidden.mrn, birth_date=date(1970, 3, 5)) == [hidden]
    assert offered(text="Vo Linh", birth_date=date(1970, 3, 5)) == [hidden]
    assert offered(text="Linh Vo", birth_date=date(1970, 3, 5)) == [hidden]
    assert offered(text="H-") == []
    assert offered(text="Vo Linh") == []
    assert offered(text="Vo", birth_date=date(1970, 3, 5)) == []
    assert offered(birth_date=date(1970, 3, 5)) == []
    assert selectors.matches_elsewhere(make_radiologist(), Criteria(text="h-1")) == []


def test_a_page_costs_the_same_queries_however_many_rows_it_has(django_assert_num_queries):
    user = make_nurse()
    for number in range(5):
        visit = make_visit(attending=None, triage_level=1 + number)
        assert visit.is_open
    with django_assert_num_queries(2):
        page = selectors.search_patients(user, Criteria(status="open"))
        assert {row.last_visit.triage_level for row in page.rows} == {1, 2, 3, 4, 5}
