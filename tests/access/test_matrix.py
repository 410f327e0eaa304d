"""Tries every row of the access matrix as every role, and looks for addresses without a row."""

import importlib
import importlib.util
from typing import Any

import pytest
from django.db.models import Max
from django.http import HttpResponse
from django.test import Client

from accounts.roles import Role
from audit.models import Entry
from tests.access.matrix import Call, Row, every_name
from tests.accounts.factories import api_client, client_of, make_user

# Open to everybody by intent; what they show is tested where they are made.
PUBLIC = {"healthz", "readyz", "metrics", "schema", "docs", "redoc"}
# Shows nothing of anybody else and changes nothing: empty forms, one's own account, criteria that
# the list after them records, a correction that corrects nothing, an analysis that still waits.
UNRECORDED = {
    *((method, "accounts:sign_in") for method in ("get", "post")),
    *((method, "accounts:sign_in_code") for method in ("get", "post")),
    *((method, "accounts:password") for method in ("get", "post")),
    *((method, "accounts:second_factor") for method in ("get", "post")),
    *((method, "accounts:second_factor_change") for method in ("get", "post")),
    ("get", "accounts:profile"),
    ("get", "accounts:user_create"),
    ("post", "audit:filter"),
    ("post", "policy:activate"),
    ("post", "policy:shadow"),
    ("get", "worklist:home"),
    ("post", "worklist:filter"),
    ("post", "worklist:changes"),
    ("get", "worklist:hold"),
    ("get", "patients:register"),
    ("get", "patients:import"),
    ("get", "patients:import_preview"),
    ("post", "patients:search"),
    ("post", "patients:sort"),
    ("post", "patients:visit_edit"),
    ("get", "diagnosis:analysis_status"),
    ("post", "diagnosis:others"),
    ("get", "diagnosis:quick"),
    ("get", "diagnosis:quick_answer"),
    ("get", "diagnosis:limits"),
    ("get", "diagnosis:help"),
    ("get", "diagnosis:retention"),  # lists nobody before a number of years is asked for
    ("get", "diagnosis_api:analysis"),
}
METHODS = ("get", "post", "put", "patch", "delete")


def all_rows() -> list[Row]:
    """Collect what the applications listed."""
    rows: list[Row] = []
    for application in (
        "accounts",
        "policy",
        "patients",
        "diagnosis",
        "film",
        "worklist",
        "quality",
    ):
        name = f"tests.access.{application}_rows"
        if importlib.util.find_spec(name) is not None:
            rows += importlib.import_module(name).ROWS
    return rows


ROWS = all_rows()
API_ROWS = [row for row in ROWS if row.api]


def call(client: Client, row: Row, actor: Any) -> HttpResponse:
    """Make what the row needs, then call."""
    return send(client, row, row.build(actor))


def send(client: Client, row: Row, needs: Call) -> HttpResponse:
    """Call with what the row needs."""
    options: dict[str, Any] = {"headers": needs.headers}
    if needs.data is not None:
        options["data"] = needs.data
    if needs.content_type or (row.api and needs.data is not None):
        options["content_type"] = needs.content_type or "application/json"
    response = getattr(client, row.method.lower())(row.address(needs), **options)
    if response.streaming:
        b"".join(response.streaming_content)  # to its end, as a browser does; closes its file too
    return response


@pytest.mark.django_db
@pytest.mark.parametrize("role", list(Role), ids=str)
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_each_role_gets_what_its_row_says(row: Row, role: Role) -> None:
    actor = make_user(role)
    client = api_client(actor) if row.api else client_of(actor)
    needs = row.build(actor)
    before = Entry.objects.aggregate(last=Max("id", default=0))["last"]
    response = send(client, row, needs)
    assert response.status_code == row.expected_of(role), response.content[:500]
    recorded = Entry.objects.filter(id__gt=before).values_list("action", flat=True)
    if role not in row.open_to:
        assert "access.refused" in recorded or not row.open_to
    elif row.status < 400 and (row.method, row.name) not in UNRECORDED:
        assert [action for action in recorded if action != "access.refused"]


@pytest.mark.django_db
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_nobody_gets_in_without_account_or_token(row: Row) -> None:
    response = call(Client(), row, make_user() if "own" in row.case else None)
    assert response.status_code == row.expected_of_nobody
    if response.status_code == 302 and row.anonymous is None:
        assert response["Location"].startswith("/sign-in/")


@pytest.mark.django_db
@pytest.mark.parametrize("row", API_ROWS or [pytest.param(None, marks=pytest.mark.skip)], ids=str)
def test_a_token_without_the_scope_is_refused(row: Row) -> None:
    actor = make_user(next(iter(row.open_to), Role.ADMINISTRATOR))
    other = {"read": "write", "write": "read"}[row.needed_scope]
    assert call(api_client(actor, other), row, actor).status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted({row.name for row in ROWS}))
def test_no_other_method_is_answered(name: str) -> None:
    rows = [row for row in ROWS if row.name == name]
    actor = make_user(Role.ADMINISTRATOR)
    client = api_client(actor) if rows[0].api else client_of(actor)
    address = rows[0].address(rows[0].build(actor))
    for method in set(METHODS) - {row.method.lower() for row in rows}:
        assert getattr(client, method)(address).status_code == 405, f"{method} {name}"


def test_every_address_has_a_row() -> None:
    assert every_name() - {row.name for row in ROWS} == PUBLIC & every_name()
