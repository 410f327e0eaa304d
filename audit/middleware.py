"""Binds the audit context of a request, and writes what was put off until its end."""

from collections.abc import Callable
from ipaddress import ip_address

from django.http import HttpRequest, HttpResponse

from audit.context import API, WEB, AuditContext, bind


class AuditContextMiddleware:
    """Give every entry of a request its address, way in and request id.

    REMOTE_ADDR is the client's by now: forwarded addresses were believed from
    TRUSTED_PROXIES only, before this middleware.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        context = AuditContext(
            via=API if request.path.startswith("/api/") else WEB,
            address=_address(request.META.get("REMOTE_ADDR", "")),
            request_id=getattr(request, "request_id", ""),
            deferred=[],
        )
        with bind(context):
            try:
                return self.get_response(request)
            finally:
                for write in context.deferred or []:
                    write()


def _address(text: str) -> str | None:
    """Return the address, or None where the connection has none (a unix socket)."""
    try:
        return str(ip_address(text))
    except ValueError:
        return None
