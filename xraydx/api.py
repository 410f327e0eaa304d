"""What every REST address shares: problems and pages."""

from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest
from rest_framework import exceptions
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response
from rest_framework.views import set_rollback

from xraydx.error_pages import PROBLEM_TYPE, problem, render_fault
from xraydx.errors import Forbidden, NotFound, UserError


class CreatedCursorPagination(CursorPagination):
    """Pages by cursor, newest first, so that a page stays fast however deep it is."""

    ordering = "-created_at"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200


def problem_response(error: Exception, context: dict[str, Any]) -> Response | Any:
    """Answer any error of a REST view as problem+json."""
    set_rollback()
    known = _as_user_error(error)
    if known is None:
        request: HttpRequest = context["request"]._request
        return render_fault(request, error)
    response = Response(problem(known), status=known.status, content_type=PROBLEM_TYPE)
    if isinstance(error, exceptions.APIException):
        wait = getattr(error, "wait", None)
        if wait:
            response["Retry-After"] = str(int(wait) + 1)
        if getattr(error, "auth_header", None):
            response["WWW-Authenticate"] = error.auth_header  # type: ignore[attr-defined]
    return response


def _as_user_error(error: Exception) -> UserError | None:
    if isinstance(error, UserError):
        return error
    if isinstance(error, Http404):
        return NotFound()
    if isinstance(error, PermissionDenied):
        return Forbidden()
    if isinstance(error, SuspiciousOperation):  # a form with too many or too large fields
        return UserError("bad_request", status=400)
    if isinstance(error, exceptions.ValidationError):
        return UserError("invalid", errors=_flatten(error.detail))
    if isinstance(error, exceptions.APIException):
        code = {
            401: "not_authenticated",
            403: "forbidden",
            404: "not_found",
            405: "method_not_allowed",
            415: "unsupported_media_type",
            429: "throttled",
        }.get(error.status_code, "bad_request")
        return UserError(code, status=error.status_code)
    return None


def _flatten(detail: Any) -> dict[str, list[str]]:
    if isinstance(detail, dict):
        return {
            str(key): [str(one) for one in (value if isinstance(value, list) else [value])]
            for key, value in detail.items()
        }
    return {"non_field_errors": [str(one) for one in detail]}
