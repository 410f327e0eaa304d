"""Rows of the access matrix: films and analyses of the API."""

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import MULTIPART_CONTENT

from accounts.models import User
from diagnosis.models import Analysis
from diagnosis.services import sign_reading
from tests.access.film_rows import (
    GONE,
    HERE,
    film_gone,
    film_here,
    left_long_ago,
    picture_gone,
    picture_here,
    result_here,
    visit_here,
)
from tests.access.matrix import ALL_ROLES, Call, Row, with_capability
from tests.accounts.factories import make_radiologist
from tests.diagnosis.factories import draw_png, make_analysis, make_film, make_result
from tests.patients.factories import make_visit

SEE_ALL = with_capability("view_every_patient")
UPLOAD = with_capability("upload_film")
MOVE = with_capability("move_film")
DELETE = with_capability("delete_film")
RERUN = with_capability("rerun_analysis")
CANCEL = with_capability("cancel_analysis")


def _sent(visit_id: object) -> Call:
    data = {"file": SimpleUploadedFile("a.png", draw_png())}
    return Call({"visit_id": visit_id}, data, content_type=MULTIPART_CONTENT)


def sent_here(actor: User | None) -> Call:
    return _sent(make_visit().id)


def sent_gone(actor: User | None) -> Call:
    return _sent(left_long_ago().id)


def visit_gone(actor: User | None) -> Call:
    return Call({"visit_id": left_long_ago().id})


def result_gone(actor: User | None) -> Call:
    return Call({"analysis_id": make_result(make_film(left_long_ago())).id})


def _signed(analysis: Analysis) -> Call:
    reading = sign_reading(analysis=analysis, by=make_radiologist(), verdict="agree")
    return Call({"reading_id": reading.id})


def signed_here(actor: User | None) -> Call:
    return _signed(make_result())


def signed_gone(actor: User | None) -> Call:
    return _signed(make_result(make_film(left_long_ago())))


def waiting_here(actor: User | None) -> Call:
    return Call({"analysis_id": make_analysis().id})


def moved_here(actor: User | None) -> Call:
    film = make_film()
    other = make_visit(film.patient)
    return Call({"film_id": film.id}, {"visit": str(other.id), "reason": "wrong visit"})


def moved_into_the_dark(actor: User | None) -> Call:
    data = {"visit": str(left_long_ago().id), "reason": "wrong patient"}
    return Call({"film_id": make_film().id}, data)


def row(name: str, *rest: object, **more: object) -> Row:
    return Row(f"diagnosis_api:{name}", *rest, api=True, **more)  # type: ignore[arg-type]


ROWS = [
    row("visit_films", "get", ALL_ROLES, visit_here, HERE),
    row("visit_films", "get", SEE_ALL, visit_gone, GONE, refused=404),
    row("visit_films", "post", UPLOAD, sent_here, HERE, status=202),
    row("film", "get", ALL_ROLES, film_here, HERE),
    row("film", "get", SEE_ALL, film_gone, GONE, refused=404),
    row("film", "delete", DELETE, film_here, HERE, status=204),
    row("film_analyses", "post", RERUN, film_here, HERE, status=201),
    row("film_move", "post", MOVE, moved_here, HERE),
    row("analyses", "get", ALL_ROLES),
    row("analysis", "get", ALL_ROLES, result_here, HERE),
    row("analysis", "get", SEE_ALL, result_gone, GONE, refused=404),
    row("analysis_cancel", "post", CANCEL, waiting_here, HERE),
    row("readings", "get", ALL_ROLES),
    row("analysis_readings", "get", ALL_ROLES, result_here, HERE),
    row("analysis_readings", "get", SEE_ALL, result_gone, GONE, refused=404),
    row("reading", "get", ALL_ROLES, signed_here, HERE),
    row("reading", "get", SEE_ALL, signed_gone, GONE, refused=404),
    row("image", "get", ALL_ROLES, picture_here, HERE),
    row("image", "get", SEE_ALL, picture_gone, GONE, refused=404),
]
