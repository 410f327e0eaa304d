"""Two records of one person: put together, and parted again."""

from datetime import date

import pytest
from django.core.exceptions import ObjectDoesNotExist

from audit.models import Entry
from diagnosis.models import Film
from diagnosis.services import sign_reading
from patients.criteria import Criteria
from patients.merging import merge_patients, undo_merge
from patients.models import Merge, Patient
from patients.selectors import deleted_patients, merged_into, search_patients
from patients.services import delete_patient, erase_patient
from tests.accounts.factories import client_of, make_administrator, make_physician
from tests.diagnosis.factories import draw_png, make_film, make_result
from tests.patients.factories import make_patient, make_visit
from xraydx.errors import Conflict, Forbidden, UserError

pytestmark = pytest.mark.django_db
REASON = "same wristband"


def facts(patient: Patient) -> dict[str, object]:
    """Return what must come back when a merge is undone."""
    row = Patient.objects.get(pk=patient.pk)
    names = ("mrn", "temporary_id", "given_name", "birth_date", "sex", "in_er", "deleted_at")
    return {
        **{name: getattr(row, name) for name in names},
        "last": row.last_visit_id,
        "visits": sorted(str(v.pk) for v in row.visits.all()),
        "films": sorted((str(f.pk), f.deleted_at) for f in row.films.all()),
        "keys": sorted(row.search_keys.values_list("kind", "key")),
        "seen_by": sorted(str(a.user_id) for a in row.attendances.all()),
    }


@pytest.fixture
def pair() -> tuple[Patient, Patient]:
    """An unidentified patient with two films, and who they turn out to be, with one the same."""
    unknown = make_patient(family_name="Unidentified", given_name="", mrn=None, sex="U")
    known = make_patient(mrn="0048-21", birth_date=date(1970, 3, 5))
    shared = draw_png()
    visit = make_visit(unknown)
    make_film(visit, data=shared)
    make_film(visit)
    make_film(make_visit(known), data=shared)
    return unknown, known


def test_all_visits_and_films_go_to_the_record_that_stays(pair) -> None:
    unknown, known = pair
    merge_patients(kept=known, gone=unknown, reason=REASON, by=make_administrator())
    assert known.visits.count() == 2
    assert Film.objects.filter(patient=known, deleted_at__isnull=True).count() == 2
    assert not Film.objects.filter(patient=unknown).exists()
    assert Patient.objects.get(pk=unknown.pk).merged_into == known


def test_undoing_a_merge_leaves_both_records_as_they_were(pair) -> None:
    unknown, known = pair
    before = [facts(unknown), facts(known)]
    admin = make_administrator()
    merge = merge_patients(kept=unknown, gone=known, reason=REASON, by=admin)
    assert Patient.objects.get(pk=unknown.pk).mrn == "0048-21"
    assert undo_merge(merge=merge, by=admin).pk == known.pk
    assert [facts(unknown), facts(known)] == before
    with pytest.raises(Conflict):
        undo_merge(merge=merge, by=admin)


def test_the_number_of_a_merged_record_still_finds_the_patient(pair) -> None:
    unknown, known = pair
    admin = make_administrator()
    merge_patients(kept=known, gone=unknown, reason=REASON, by=admin)
    found = search_patients(admin, Criteria(text=unknown.temporary_id, status="all"))
    assert [row.pk for row in found.rows] == [known.pk]


def test_a_film_that_came_after_the_merge_goes_back_with_its_visit(pair) -> None:
    unknown, known = pair
    visit = unknown.visits.get()
    admin = make_administrator()
    merge = merge_patients(kept=known, gone=unknown, reason=REASON, by=admin)
    visit.refresh_from_db()
    later = make_film(visit)
    undo_merge(merge=merge, by=admin)
    later.refresh_from_db()
    assert later.patient_id == unknown.pk


def test_an_old_address_leads_to_the_record_that_stays(pair) -> None:
    unknown, known = pair
    merge_patients(kept=known, gone=unknown, reason=REASON, by=make_administrator())
    physician = make_physician()
    answer = client_of(physician).get(f"/patients/{unknown.pk}/")
    assert answer.headers["Location"] == f"/patients/{known.pk}/"
    assert merged_into(physician, unknown.pk) == known


def test_a_merged_record_is_neither_restored_nor_erased_alone_and_goes_with_the_kept(pair) -> None:
    unknown, known = pair
    admin = make_administrator()
    merge_patients(kept=known, gone=unknown, reason=REASON, by=admin)
    assert deleted_patients(admin).rows == []
    with pytest.raises(UserError):
        erase_patient(patient=unknown, by=admin)
    delete_patient(patient=known, by=admin)
    erase_patient(patient=known, by=admin)
    for patient in pair:
        with pytest.raises(ObjectDoesNotExist):
            Patient.objects.get(pk=patient.pk)
    assert not Merge.objects.exists()


def test_a_merge_needs_an_administrator_a_reason_and_two_records(pair) -> None:
    unknown, known = pair
    with pytest.raises(Forbidden):
        merge_patients(kept=known, gone=unknown, reason=REASON, by=make_physician())
    admin = make_administrator()
    with pytest.raises(UserError):
        merge_patients(kept=known, gone=unknown, reason=" a ", by=admin)
    with pytest.raises(UserError):
        merge_patients(kept=known, gone=known, reason=REASON, by=admin)


def test_both_records_of_a_merge_are_in_the_audit_record(pair) -> None:
    unknown, known = pair
    admin = make_administrator()
    undo_merge(merge=merge_patients(kept=known, gone=unknown, reason=REASON, by=admin), by=admin)
    for action in ("patient.merge", "patient.unmerge"):
        whose = Entry.objects.filter(action=action).values_list("patient_id", flat=True)
        assert set(whose) == {unknown.pk, known.pk}


def test_from_the_offer_to_the_undo_in_pages(pair) -> None:
    unknown, known = pair
    client = client_of(make_administrator())
    found = client.post(f"/patients/{unknown.pk}/merge/", {"text": "0048-21"})
    address = f"/patients/{unknown.pk}/merge/{known.pk}/"
    assert address in found.content.decode()
    assert client.post(address, {"keep": "other", "reason": ""}).status_code == 422
    done = client.post(address, {"keep": "other", "reason": REASON})
    assert done.headers["Location"] == f"/patients/{known.pk}/"
    merge = Merge.objects.get()
    assert REASON in client.get("/patients/merges/").content.decode()
    back = client.post(f"/patients/merges/{merge.pk}/undo/")
    assert back.headers["Location"] == f"/patients/{unknown.pk}/"


def test_of_two_equal_films_the_signed_one_stays_in_sight_and_both_come_back() -> None:
    kept, gone, data = make_patient(), make_patient(), draw_png()
    double = make_result(make_film(make_visit(kept), data=data)).film
    signed = make_result(make_film(make_visit(gone), data=data))
    sign_reading(analysis=signed, by=make_physician(), verdict="agree", report="Effusion.")
    before = facts(kept), facts(gone)
    admin = make_administrator()
    merge = merge_patients(kept=kept, gone=gone, reason=REASON, by=admin)
    assert list(Film.objects.filter(patient=kept, deleted_at=None)) == [signed.film]
    assert Film.objects.get(pk=double.pk).deleted_at is not None
    undo_merge(merge=merge, by=admin)
    assert (facts(kept), facts(gone)) == before


def test_of_two_signed_equal_films_both_signatures_stay_in_sight_until_the_merge_is_undone() -> (
    None
):
    kept, gone, data = make_patient(), make_patient(), draw_png()
    physician, admin = make_physician(), make_administrator()
    stays = make_result(make_film(make_visit(kept), data=data))
    other = make_result(make_film(make_visit(gone), data=data))
    sign_reading(analysis=stays, by=physician, verdict="agree", report="Effusion, right.")
    sign_reading(analysis=other, by=physician, verdict="agree", report="Normal heart size.")
    merge = merge_patients(kept=kept, gone=gone, reason=REASON, by=admin)
    address, client = f"/films/{stays.film_id}/", client_of(physician)
    text = client.get(address).content.decode()
    assert "Effusion, right." in text
    assert "Normal heart size." in text
    undo_merge(merge=merge, by=admin)
    assert "Normal heart size." not in client.get(address).content.decode()


def test_a_merge_whose_record_was_deleted_since_is_undone_by_nobody() -> None:
    kept, gone, admin = make_patient(), make_patient(), make_administrator()
    merge = merge_patients(kept=kept, gone=gone, reason=REASON, by=admin)
    delete_patient(patient=kept, by=admin)
    assert client_of(admin).post(f"/patients/merges/{merge.pk}/undo/").status_code == 404
    assert Merge.objects.get().undone_at is None
