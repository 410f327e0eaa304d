"""Rows of the access matrix: the site's rules."""

from accounts.models import User
from ml.vocabulary import NAMES
from tests.access.matrix import Call, Row, with_capability

MANAGE = with_capability("manage_policy")


def rules_sent(actor: User | None) -> Call:
    data = {"version": 0, "max_wait_minutes": 45, "aged_level": 2, "muted_Mass": "on"}
    return Call(data=data)


def points_sent(actor: User | None) -> Call:
    return Call(data={NAMES[0]: "0.4", "save": "1"})


def release_sent(actor: User | None) -> Call:
    return Call(data={"release": "", "version": 0})


ROWS = [
    Row("policy:rules", "get", MANAGE),
    Row("policy:rules", "post", MANAGE, rules_sent, status=302),
    Row("policy:points", "get", MANAGE),
    Row("policy:points", "post", MANAGE, points_sent, status=302),
    Row("policy:releases", "get", MANAGE),
    Row("policy:activate", "post", MANAGE, release_sent, status=302),
    Row("policy:shadow", "post", MANAGE, release_sent, status=302),
]
