"""Rows of the access matrix: the pages of films."""

from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import User
from diagnosis.models import Analysis, Film
from patients.models import Visit
from tests.access.matrix import ALL_ROLES, Call, Row, with_capability
from tests.diagnosis.factories import draw_png, make_analysis, make_film, make_result
from tests.patients.factories import left_ago, make_visit

# Whoever may see every patient sees those who left long ago, too.
SEE_ALL = with_capability("view_every_patient")
UPLOAD = with_capability("upload_film")
SIGN = with_capability("sign_reading")
MOVE = with_capability("move_film")
DELETE = with_capability("delete_film")
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


HERE, GONE = "in the ER", "left long ago"
ROWS = [
    Row("diagnosis:upload", "get", UPLOAD, visit_here, HERE),
    Row("diagnosis:upload", "post", UPLOAD, sent_here, HERE, status=302),
    Row("diagnosis:film", "get", ALL_ROLES, film_here, HERE),
    Row("diagnosis:film", "get", SEE_ALL, film_gone, GONE, refused=404),
    Row("diagnosis:film_delete", "get", DELETE, film_here, HERE),
    Row("diagnosis:film_delete", "post", DELETE, film_here, HERE, status=302),
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
]
