"""Writes about films: erasing, signing, deleting, moving."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages

from audit.models import Entry
from diagnosis import films, selectors, services
from diagnosis.models import Analysis, Film, Finding, Study
from patients import services as patients
from tests.accounts.factories import (
    make_administrator,
    make_nurse,
    make_physician,
    make_radiologist,
)
from tests.diagnosis.factories import draw_png, make_analysis, make_film, make_result
from tests.ml.imaging.files import dicom_bytes, make_dataset
from tests.patients.factories import make_patient, make_visit
from xraydx.errors import Conflict, Forbidden, NotFound, UserError

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("tiny_release")]


def stored() -> list[str]:
    root = Path(storages["default"].path(""))
    return [str(file.relative_to(root)) for file in root.rglob("*") if file.is_file()]


def test_erasing_a_patient_leaves_nothing_but_what_others_share(
    django_capture_on_commit_callbacks: Any,
) -> None:
    shared = draw_png()
    gone = make_result(make_film(data=shared)).film
    own = make_result(make_film(gone.visit)).film
    kept = make_result(make_film(data=shared))
    by = make_administrator()
    patients.delete_patient(patient=gone.patient, by=by)
    with django_capture_on_commit_callbacks(execute=True):
        patients.erase_patient(patient=gone.patient, by=by)
    assert list(Film.objects.values_list("id", flat=True)) == [kept.film_id]
    assert Analysis.objects.count() == Study.objects.count() == 1
    assert Finding.objects.count() == 13
    assert films.load(kept.film.sha256) == shared
    with pytest.raises(films.FilmMissing):
        films.load(own.sha256)
    assert sorted(stored()) == sorted([films.film_key(kept.film.sha256), *kept.images.values()])
    assert Entry.objects.filter(action="film.erase", patient_id=gone.patient_id).exists()


def test_a_signed_reading_stands_beside_the_machines_and_is_amended_by_a_version() -> None:
    done, by = make_result(), make_radiologist()
    machine = list(done.findings.values_list("code", "probability"))
    first = services.sign_reading(analysis=done, by=by, verdict="agree")
    second = services.sign_reading(
        analysis=done, by=by, verdict="disagree", findings={"Effusion": "disagree"}, note=" none "
    )
    assert (first.version, second.version, second.note) == (1, 2, "none")
    first.refresh_from_db()
    assert first.verdict == "agree"
    assert list(done.findings.values_list("code", "probability")) == machine
    assert Entry.objects.filter(action="reading.sign").count() == 2


def test_only_a_read_film_is_signed_by_who_may() -> None:
    done = make_result()
    with pytest.raises(Conflict, match="analysis_not_read"):
        services.sign_reading(analysis=make_analysis(), by=make_physician(), verdict="agree")
    with pytest.raises(Forbidden):
        services.sign_reading(analysis=done, by=make_nurse(), verdict="agree")
    with pytest.raises(UserError, match="verdict_unknown"):
        services.sign_reading(analysis=done, by=make_physician(), verdict="perhaps")
    with pytest.raises(UserError, match="finding_unknown"):
        services.sign_reading(
            analysis=done, by=make_physician(), verdict="agree", findings={"Hernia": "agree"}
        )


def test_who_signed_or_uploaded_keeps_seeing_the_patient() -> None:
    done, by = make_result(), make_physician()
    services.sign_reading(analysis=done, by=by, verdict="agree")
    assert by.attendances.filter(patient=done.film.patient).exists()


def test_a_film_is_deleted_once_and_its_bytes_stay() -> None:
    film, by = make_film(), make_physician()
    services.delete_film(film=film, by=by)
    with pytest.raises(NotFound):
        services.delete_film(film=film, by=by)
    with pytest.raises(NotFound):
        selectors.film_for(by, film.id)
    assert films.load(film.sha256)


@pytest.mark.parametrize(
    ("reason", "code"), [("  ", "reason_missing"), ("x" * 401, "reason_too_long")]
)
def test_moving_needs_a_reason(reason: str, code: str) -> None:
    with pytest.raises(UserError, match=code):
        services.move_film(film=make_film(), visit=make_visit(), reason=reason, by=make_physician())


def test_a_moved_film_is_compared_with_the_patient_whom_it_came_to() -> None:
    data = dicom_bytes(make_dataset(PatientID="B-2"))
    film = make_film(make_visit(make_patient(mrn="A-1")), data=data, patient_id_matches=False)
    there = make_visit(make_patient(mrn="B-2"))
    services.move_film(film=film, visit=there, reason="mixed up", by=make_physician())
    assert Film.objects.get().patient_id_matches is True
    back = make_visit(make_patient(mrn="C-3"))
    services.move_film(film=film, visit=back, reason="mixed up", by=make_physician())
    assert Film.objects.get().patient_id_matches is False


def test_a_moved_film_is_in_one_history_and_told_in_it() -> None:
    film, visit, by = make_film(), make_visit(), make_physician()
    before = film.patient
    services.move_film(film=film, visit=visit, reason="mixed up", by=by)
    assert not selectors.history_for(by, before).exists()
    moved = selectors.history_for(by, visit.patient).get()
    assert [move.reason for move in moved.moves.all()] == ["mixed up"]
    assert moved.study.visit_id == visit.id
    left = selectors.films_moved_away(before)
    assert [move.film_id for move in left] == [film.id]


def test_a_dangerous_finding_above_its_point_is_shown_first() -> None:
    shown = [row.code for row in selectors.findings_to_show(make_result())]
    assert shown[0] == "Pneumothorax"
    assert shown[1] == "Effusion"
    assert len(shown) == 4


def test_what_one_may_not_see_is_not_there() -> None:
    from tests.patients.factories import left_ago

    done = make_result(make_film(left_ago(make_visit(make_patient()), hours=24 * 366)))
    stranger = make_nurse()
    with pytest.raises(NotFound):
        selectors.analysis_for(stranger, done.id)
    assert not selectors.analyses_for(stranger).exists()
    assert selectors.analyses_for(make_radiologist()).get() == done
