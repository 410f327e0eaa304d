"""Ends sessions in time, and sends those who owe a password or second factor to that page."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url

from accounts.language import speak_language_of
from accounts.models import User
from accounts.requests import is_partial
from accounts.second_factor import must_enrol
from accounts.sessions import ENDED, expired, note_activity
from audit.services import record

ENROLLED = "second_factor_settled"


class AccountMiddleware:
    """Stands right behind Django's AuthenticationMiddleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self._end_expired(request)
        speak_language_of(request)
        signed_in = request.user.is_authenticated
        response = self.get_response(request)
        # Workstations are shared: what a signed-in person saw stays in no cache.
        if signed_in and not response.has_header("Cache-Control"):
            response["Cache-Control"] = "private, no-store"
        return _for_htmx(request, response)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Send the account to what it owes before anything else."""
        user = request.user
        if not isinstance(user, User):
            return None
        if not getattr(view, "is_not_activity", False):
            note_activity(request)
        if getattr(view, "is_open_to_owing", False):
            return None
        if user.must_change_password:
            return HttpResponseRedirect(resolve_url("accounts:password"))
        if not request.session.get(ENROLLED):
            if must_enrol(user):
                return HttpResponseRedirect(resolve_url("accounts:second_factor"))
            request.session[ENROLLED] = True
        return None

    def _end_expired(self, request: HttpRequest) -> None:
        """Sign out where the session was idle too long or is too old."""
        user = request.user
        if not isinstance(user, User):
            return
        reason = expired(request)
        if reason is None:
            return
        record(actor=user, action="sign_in.expire", target=user, reason=reason)
        logout(request)
        request.session[ENDED] = reason


def _for_htmx(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Turn a redirect away from a partial into one of the whole page."""
    if not is_partial(request) or response.status_code != 302:
        return response
    away = {resolve_url(name) for name in ("accounts:sign_in", "accounts:password")}
    if response["Location"].partition("?")[0] not in away:
        return response
    whole = HttpResponse(status=204)
    whole["HX-Redirect"] = response["Location"].partition("?")[0]
    return whole
