"""Forwarded addresses, the access log, and errors as people and programs see them."""

import json
import logging

import pytest
from django.http import Http404, HttpRequest, HttpResponse
from django.test import RequestFactory

from tests.accounts.factories import client_of, make_administrator
from xraydx.errors import Conflict, NotFound, UserError
from xraydx.middleware import ErrorMiddleware, ForwardedMiddleware, RequestLogMiddleware


def address_seen(settings: object, trusted: list[str], **meta: str) -> tuple[str, str]:
    """The client's address and scheme as a view would see them."""
    settings.TRUSTED_PROXIES = trusted  # type: ignore[attr-defined]
    seen: list[HttpRequest] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse()

    ForwardedMiddleware(view)(RequestFactory().get("/", **meta))
    return seen[0].META["REMOTE_ADDR"], seen[0].scheme or ""


def test_a_strangers_forwarded_address_is_not_believed(settings: object) -> None:
    found = address_seen(
        settings, [], REMOTE_ADDR="203.0.113.9", HTTP_X_FORWARDED_FOR="10.0.0.1",
        HTTP_X_FORWARDED_PROTO="https",
    )  # fmt: skip
    assert found == ("203.0.113.9", "http")


def test_a_trusted_proxys_forwarded_address_is_believed(settings: object) -> None:
    found = address_seen(
        settings, ["172.16.0.0/12"], REMOTE_ADDR="172.16.0.2",
        HTTP_X_FORWARDED_FOR="198.51.100.7", HTTP_X_FORWARDED_PROTO="https",
    )  # fmt: skip
    assert found == ("198.51.100.7", "https")


def test_what_the_client_wrote_before_the_proxys_own_entry_is_hearsay(settings: object) -> None:
    found = address_seen(
        settings, ["172.16.0.2"], REMOTE_ADDR="172.16.0.2",
        HTTP_X_FORWARDED_FOR="1.2.3.4, 198.51.100.7",
    )  # fmt: skip
    assert found[0] == "198.51.100.7"


def test_nonsense_from_a_trusted_proxy_leaves_the_proxys_address(settings: object) -> None:
    found = address_seen(
        settings, ["172.16.0.2"], REMOTE_ADDR="172.16.0.2", HTTP_X_FORWARDED_FOR="<script>"
    )
    assert found[0] == "172.16.0.2"


def test_the_access_log_holds_no_query_and_no_unknown_path(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="xraydx.access")
    request = RequestFactory().get("/typed-name/?q=typed-name")
    RequestLogMiddleware(lambda _: HttpResponse())(request)
    (record,) = caplog.records
    assert "typed-name" not in json.dumps(record.__dict__, default=str)


def answer_to(error: Exception, *, where: str = "/x/", **headers: str) -> HttpResponse:
    """What the middleware makes of an error."""
    request = RequestFactory().get(where, headers=headers)
    found = ErrorMiddleware(lambda _: HttpResponse()).process_exception(request, error)
    assert found is not None
    return found


@pytest.mark.django_db
def test_a_user_error_has_its_own_status_and_words() -> None:
    found = answer_to(NotFound())
    assert found.status_code == 404
    assert "does not exist" in found.content.decode()


@pytest.mark.django_db
def test_a_part_of_a_page_gets_a_part_of_a_page() -> None:
    found = answer_to(NotFound(), **{"HX-Request": "true"})
    assert "<html" not in found.content.decode()
    assert 'role="alert"' in found.content.decode()


def test_a_program_gets_a_problem() -> None:
    found = answer_to(Conflict("not_found", status=409), where="/api/v1/x/")
    assert found["Content-Type"] == "application/problem+json"
    body = json.loads(found.content)
    assert body["status"] == 409
    assert body["code"] == "not_found"
    assert set(body) == {"type", "title", "detail", "status", "code"}


def test_a_field_is_named_in_a_problem() -> None:
    found = answer_to(UserError("invalid", field="mrn"), where="/api/v1/x/")
    assert list(json.loads(found.content)["errors"]) == ["mrn"]


@pytest.mark.parametrize("where", ["/x/", "/api/v1/x/"])
@pytest.mark.django_db
def test_an_unforeseen_error_shows_a_number_and_logs_no_text(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    from xraydx.logs import JsonFormatter

    try:
        raise ValueError("Q-name-of-a-patient")
    except ValueError as error:
        found = answer_to(error, where=where)
    assert found.status_code == 500
    assert "Q-name-of-a-patient" not in found.content.decode()
    (record,) = [one for one in caplog.records if one.name == "xraydx.faults"]
    line = json.loads(JsonFormatter().format(record))
    assert line["incident"] in found.content.decode()
    assert "Q-name-of-a-patient" not in json.dumps(line)
    assert line["trace"][-1] == "ValueError"


def test_djangos_own_refusals_get_our_words() -> None:
    found = answer_to(Http404("secret"), where="/api/v1/x/")
    assert json.loads(found.content)["code"] == "not_found"


@pytest.mark.django_db
def test_an_address_for_a_button_has_words_when_it_is_opened() -> None:
    found = client_of(make_administrator()).get("/sign-out/")
    assert found.status_code == 405
    assert found["Allow"] == "POST"
    assert "This address is for a button of a page" in found.content.decode()
    assert "Back to the worklist" in found.content.decode()
