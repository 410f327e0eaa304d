"""Errors as a page, as a part of a page, or as problem+json."""

import logging
import uuid
from typing import Any

from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFilesSent,
)
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from accounts.requests import is_partial
from xraydx.errors import Forbidden, NotFound, UserError, message_for

fault_log = logging.getLogger("xraydx.faults")
PROBLEM_TYPE = "application/problem+json"


def problem(error: UserError) -> dict[str, Any]:
    """The fields of problem+json (RFC 9457), plus our code."""
    what, do = message_for(error.code).fill(error.params)
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": what,
        "detail": do,
        "status": error.status,
        "code": error.code,
    }
    errors = dict(error.errors)
    if error.field and error.field not in errors:
        errors[error.field] = [what]
    if errors:
        body["errors"] = errors
    return body


def render_error(request: HttpRequest, error: UserError) -> HttpResponse:
    """Answer in the form that the request came in."""
    if request.path.startswith("/api/"):
        return JsonResponse(problem(error), status=error.status, content_type=PROBLEM_TYPE)
    partial = is_partial(request)
    template = "components/error.html" if partial else "components/error_page.html"
    what, do = message_for(error.code).fill(error.params)
    context = {
        "what": what,
        "do": do,
        "code": error.code,
        "status": error.status,
        "incident": error.params.get("incident"),
    }
    text = render_to_string(template, context, request=request)
    return HttpResponse(text, status=error.status)


def known_error(request: HttpRequest, error: Exception) -> HttpResponse | None:
    """Django's own refusals, in our words; None for a real fault."""
    if isinstance(error, Http404):
        return render_error(request, NotFound())
    if isinstance(error, PermissionDenied):
        return render_error(request, Forbidden())
    if isinstance(error, RequestDataTooBig | TooManyFilesSent):
        return render_error(request, UserError("too_large", status=413))
    if isinstance(error, BadRequest | SuspiciousOperation):
        return render_error(request, UserError("bad_request", status=400))
    return None


def render_fault(request: HttpRequest, error: Exception) -> HttpResponse:
    """Log what nobody foresaw under a number, and show the number."""
    incident = uuid.uuid4().hex[:8]
    fault_log.error("unforeseen error", exc_info=error, extra={"incident": incident})
    return render_error(request, UserError("unforeseen", status=500, params={"incident": incident}))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Handler for 400."""
    return known_error(request, exception) or render_error(
        request, UserError("bad_request", status=400)
    )


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Handler for 403."""
    return render_error(request, Forbidden())


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Handler for 404."""
    return render_error(request, NotFound())


def server_error(request: HttpRequest) -> HttpResponse:
    """Handler for 500 outside any view, in plain text because templates may be at fault."""
    incident = uuid.uuid4().hex[:8]
    fault_log.error("error outside a view", extra={"incident": incident})
    what, do = message_for("unforeseen").fill({"incident": incident})
    return HttpResponse(f"{what} {do}", status=500, content_type="text/plain; charset=utf-8")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form whose token is missing or old."""
    return render_error(request, UserError("csrf", status=403))
