"""What happens around every request: addresses, the access log, errors."""

import ipaddress
import logging
import time
import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from xraydx import error_pages, metrics
from xraydx.errors import UserError

access_log = logging.getLogger("xraydx.access")
fault_log = logging.getLogger("xraydx.faults")
GetResponse = Callable[[HttpRequest], HttpResponse]
FORWARDING_HEADERS = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_FORWARDED")


class ForwardedMiddleware:
    """Believe forwarded addresses from TRUSTED_PROXIES only.

    Afterwards REMOTE_ADDR is the client's, META["xraydx.peer"] who connected, and
    META["xraydx.forwarded"] whether anybody claimed to forward.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.trusted = [ipaddress.ip_network(one, strict=False) for one in settings.TRUSTED_PROXIES]

    def __call__(self, request: HttpRequest) -> HttpResponse:
        meta = request.META
        meta["xraydx.peer"] = meta.get("REMOTE_ADDR", "")
        meta["xraydx.forwarded"] = any(header in meta for header in FORWARDING_HEADERS)
        chain = [part.strip() for part in meta.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        scheme = meta.get("HTTP_X_FORWARDED_PROTO", "").strip().lower()
        for header in FORWARDING_HEADERS:
            meta.pop(header, None)
        if self._is_trusted(meta["xraydx.peer"]):
            meta["REMOTE_ADDR"] = self._client(chain) or meta["xraydx.peer"]
            if scheme in {"http", "https"}:
                meta["wsgi.url_scheme"] = scheme
        return self.get_response(request)

    def _client(self, chain: list[str]) -> str:
        """The last address of the chain that is no proxy of ours; what stands before is hearsay."""
        for address in reversed(chain):
            try:
                ipaddress.ip_address(address)
            except ValueError:
                return ""
            if not self._is_trusted(address):
                return address
        return chain[0] if chain else ""

    def _is_trusted(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            # A unix socket has no address; whoever may connect to it is on this machine.
            return address == "" and "unix" in settings.TRUSTED_PROXIES
        return any(found in network for network in self.trusted)


class RequestLogMiddleware:
    """Write one access line per request, without query string, and count it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = str(uuid.uuid4())
        request.request_id = request_id  # type: ignore[attr-defined]
        started = time.perf_counter()
        response = self.get_response(request)
        seconds = time.perf_counter() - started
        match = request.resolver_match
        route = match.route if match else ""
        metrics.observe_request(request.method or "", route, response.status_code, seconds)
        user = getattr(request, "user", None)
        access_log.info(
            "request",
            extra={
                "method": request.method,
                # An address that no route knows may hold anything that a person typed.
                "path": request.path if match else "(unknown)",
                "route": route,
                "status": response.status_code,
                "ms": round(seconds * 1000, 1),
                "request": request_id,
                "user": str(user.pk) if user is not None and user.pk else None,
            },
        )
        response["X-Request-ID"] = request_id
        return response


class ErrorMiddleware:
    """Turn what a view raises into words: a UserError into its own, anything else into a number.

    An address that only a button may call, opened in the address bar, has words, too.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and not response.content:
            worded = error_pages.render_error(request, UserError("only_by_button", status=405))
            worded["Allow"] = response["Allow"]
            return worded
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, UserError):
            return error_pages.render_error(request, error)
        return error_pages.known_error(request, error) or error_pages.render_fault(request, error)
