"""Rows of the access matrix: the pages of films."""

from dataclasses import replace

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now

from accounts.models import User
from accounts.roles import Role
from diagnosis import films
from diagnosis.models import Analysis, Film, QuickRead
from diagnosis.quick_reading import key_of
from patients.models import Visit
from tests.access.matrix import ALL_ROLES, Call, Row, with_capability
from tests.accounts.factories import make_user
from tests.diagnosis.factories import (
    draw_png,
    make_analysis,
    make_film,
    make_result,
    quick_answer,
)
from tests.patients.factories import left_ago, make_visit

# Whoever may see every patient sees those who left long ago, too.
SEE_ALL = with_capability("view_every_patient")
UPLOAD = with_capability("upload_film")
SIGN = with_capability("sign_reading")
MOVE = with_capability("move_film")
DELETE = with_capability("delete_film")
RESTORE = with_capability("restore_film")
ERASE = with_capability("erase_film")
RERUN = with_capability("rerun_analysis")
CANCEL = with_capability("cancel_analysis")


def left_long_ago() -> Visit:
    """A visit that ended a year ago, of a patient whom nobody here attended."""
    return left_ago(make_visit(), hours=24 * 366)


def _film_call(film: Film, data: object = None) -> Call:
    return Call({"film_id": film.id}, data)


def _analysis_call(analysis: Analysis, data: object = None, **more: str) -> Call:
    return Call({"analysis_id": analysis.id, **more}, data)


def visit_here(actor: User | None) -> Call:
    return Call({"visit_id": make_visit().id})


def sent_here(actor: User | None) -> Call:
    return Call({"visit_id": make_visit().id}, {"file": SimpleUploadedFile("a.png", draw_png())})


def film_here(actor: User | None) -> Call:
    return _film_call(make_result().film)


def film_gone(actor: User | None) -> Call:
    return _film_call(make_result(make_film(left_long_ago())).film)


def film_deleted(actor: User | None) -> Call:
    film = make_result().film
    Film.objects.filter(id=film.id).update(deleted_at=Now())
    return _film_call(film)


def film_to_erase(actor: User | None) -> Call:
    return replace(film_deleted(actor), data={"sure": "on"})


def film_to_move(actor: User | None) -> Call:
    film = make_film()
    other = make_visit(film.patient)
    return _film_call(film, {"visit": str(other.id), "reason": "Filed under the wrong visit"})


def result_here(actor: User | None) -> Call:
    return _analysis_call(make_result())


def waiting_here(actor: User | None) -> Call:
    return _analysis_call(make_analysis())


def status_gone(actor: User | None) -> Call:
    return _analysis_call(make_result(make_film(left_long_ago())))


def picture_here(actor: User | None) -> Call:
    return _analysis_call(make_result(), name="film")


def picture_gone(actor: User | None) -> Call:
    return _analysis_call(make_result(make_film(left_long_ago())), name="film")


def signature_here(actor: User | None) -> Call:
    return _analysis_call(make_result(), {"verdict": "agree", "note": ""})


def look_here(actor: User | None) -> Call:
    return _analysis_call(make_result(), {"impression": "unsure"})


def look_choice_here(actor: User | None) -> Call:
    return _film_call(make_result().film, {"hide": "on"})


def compared_here(actor: User | None) -> Call:
    film = make_result().film
    return Call({"film_id": film.id, "prior_id": make_result(make_film(film.visit)).film_id})


def compared_with_another_patients(actor: User | None) -> Call:
    return Call({"film_id": make_result().film_id, "prior_id": make_result().film_id})


def quick_sent(actor: User | None) -> Call:
    return Call({}, {"file": SimpleUploadedFile("a.png", draw_png())})


def _quick(asked_by: User, **more: str) -> Call:
    quick = QuickRead.objects.create(
        asked_by=asked_by, child=False, state="succeeded", answer=quick_answer(["film"])
    )
    films.store_bytes(key_of(quick.id, "film.png"), draw_png())
    return Call({"quick_id": quick.id, **more})


def own_quick(actor: User | None) -> Call:
    return _quick(actor or make_user())


def anothers_quick(actor: User | None) -> Call:
    return _quick(make_user())


def own_quick_picture(actor: User | None) -> Call:
    return _quick(actor or make_user(), name="film")


def anothers_quick_picture(actor: User | None) -> Call:
    return _quick(make_user(), name="film")


HERE, GONE = "in the ER", "left long ago"
NOBODY: frozenset[Role] = frozenset()
ROWS = [
    Row("diagnosis:upload", "get", UPLOAD, visit_here, HERE),
    Row("diagnosis:upload", "post", UPLOAD, sent_here, HERE, status=302),
    Row("diagnosis:film", "get", ALL_ROLES, film_here, HERE),
    Row("diagnosis:film", "get", SEE_ALL, film_gone, GONE, refused=404),
    Row("diagnosis:film_delete", "get", DELETE, film_here, HERE),
    Row("diagnosis:film_delete", "post", DELETE, film_here, HERE, status=302),
    Row("diagnosis:deleted_films", "get", RESTORE),
    Row("diagnosis:film_restore", "post", RESTORE, film_deleted, status=302),
    Row("diagnosis:film_erase", "get", ERASE, film_deleted),
    Row("diagnosis:film_erase", "post", ERASE, film_to_erase, status=302),
    Row("diagnosis:film_move", "get", MOVE, film_here, HERE),
    Row("diagnosis:film_move", "post", MOVE, film_to_move, HERE, status=302),
    Row("diagnosis:rerun", "post", RERUN, film_here, HERE, status=302),
    Row("diagnosis:rerun", "post", RERUN & SEE_ALL, film_gone, GONE, status=302, refused=404),
    Row("diagnosis:analysis_status", "get", ALL_ROLES, result_here, HERE),
    Row("diagnosis:analysis_status", "get", SEE_ALL, status_gone, GONE, refused=404),
    Row("diagnosis:image", "get", ALL_ROLES, picture_here, HERE),
    Row("diagnosis:image", "get", SEE_ALL, picture_gone, GONE, refused=404),
    Row("diagnosis:cancel", "post", CANCEL, waiting_here, HERE, status=302),
    Row("diagnosis:sign", "post", SIGN, signature_here, HERE, status=302),
    Row("diagnosis:depth", "get", ALL_ROLES, result_here, HERE),
    Row("diagnosis:depth", "get", SEE_ALL, status_gone, GONE, refused=404),
    Row("diagnosis:report", "get", ALL_ROLES, result_here, HERE),
    Row("diagnosis:report", "get", SEE_ALL, status_gone, GONE, refused=404),
    Row("diagnosis:report_pdf", "get", ALL_ROLES, result_here, HERE),
    Row("diagnosis:report_pdf", "get", SEE_ALL, status_gone, GONE, refused=404),
    Row("diagnosis:prior", "get", ALL_ROLES, compared_here, HERE),
    Row("diagnosis:prior", "get", NOBODY, compared_with_another_patients, "other", refused=404),
    Row("diagnosis:others", "post", ALL_ROLES, film_here, HERE),
    Row("diagnosis:others", "post", SEE_ALL, film_gone, GONE, refused=404),
    Row("diagnosis:first_look", "post", SIGN, look_here, HERE, status=302),
    Row("diagnosis:first_look_choice", "post", SIGN, look_choice_here, HERE, status=302),
    Row("diagnosis:retention", "get", ERASE),
    Row("diagnosis:quick", "get", ALL_ROLES),
    Row("diagnosis:quick", "post", ALL_ROLES, quick_sent, status=302),
    Row("diagnosis:quick_answer", "get", ALL_ROLES, own_quick, "own"),
    Row("diagnosis:quick_answer", "get", NOBODY, anothers_quick, "another's", refused=404),
    Row("diagnosis:quick_picture", "get", ALL_ROLES, own_quick_picture, "own"),
    Row("diagnosis:quick_picture", "get", NOBODY, anothers_quick_picture, "another's", refused=404),
    Row("diagnosis:limits", "get", ALL_ROLES),
    Row("diagnosis:help", "get", ALL_ROLES),
]
