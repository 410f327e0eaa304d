"""Rows of the access matrix: the worklist."""

from accounts.models import User
from tests.access.film_rows import GONE, HERE, left_long_ago
from tests.access.matrix import ALL_ROLES, Call, Row, with_capability
from tests.diagnosis.factories import make_film, make_refusal, make_result
from worklist.models import Hold

SIGN = with_capability("sign_reading")
SEE_ALL = with_capability("view_every_patient")


def study_here(actor: User | None) -> Call:
    return Call({"study_id": make_result().film.study_id})


def study_gone(actor: User | None) -> Call:
    return Call({"study_id": make_film(left_long_ago()).study_id})


def queue_here(actor: User | None) -> Call:
    make_result(make_film())
    make_refusal(make_film())
    return Call()


def held_here(actor: User | None) -> Call:
    film = make_film()
    if actor is not None:
        Hold.objects.create(study=film.study, user=actor)
    return Call({"study_id": film.study_id})


ROWS = [
    Row("worklist:home", "get", ALL_ROLES, status=302),
    Row("worklist:list", "get", ALL_ROLES, queue_here),
    Row("worklist:filter", "post", ALL_ROLES, status=302),
    Row("worklist:changes", "post", ALL_ROLES),
    Row("worklist:take", "post", SIGN, study_here, HERE, status=302),
    Row("worklist:release", "post", SIGN, held_here, HERE, status=302),
    Row("worklist:hold", "get", ALL_ROLES, study_here, HERE),
    Row("worklist:hold", "get", SEE_ALL, study_gone, GONE, refused=404),
]
