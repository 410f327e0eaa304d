"""Binds the audit context of a request, and writes what was put off until its end."""

from collections.abc import Callable
from uuid import uuid4

from django.http import HttpRequest, HttpResponse

from audit.address import client_address
from audit.context import API, WEB, AuditContext, bind


class AuditContextMiddleware:
    """Give every entry of a request its address, way in and request id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        context = AuditContext(
            via=API if request.path.startswith("/api/") else WEB,
            address=client_address(request),
            request_id=getattr(request, "request_id", "") or uuid4().hex,
            deferred=[],
        )
        with bind(context):
            try:
                return self.get_response(request)
            finally:
                for write in context.deferred or []:
                    write()
