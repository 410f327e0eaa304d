"""How long a session lasts: idle and in all."""

from collections.abc import Callable
from typing import TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

STARTED = "signed_in_at"
SEEN = "seen_at"
ENDED = "session_ended"
SEEN_STEP_S = 30

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def begin_session(request: HttpRequest) -> None:
    """Start both clocks."""
    request.session[STARTED] = request.session[SEEN] = timezone.now().timestamp()


def expired(request: HttpRequest) -> str | None:
    """Return "idle" or "absolute" where the session has lasted too long, else None."""
    now = timezone.now().timestamp()
    started = request.session.get(STARTED)
    if started is None:
        begin_session(request)
        return None
    if now - started > settings.SESSION_COOKIE_AGE:
        return "absolute"
    if now - request.session.get(SEEN, started) > settings.SESSION_IDLE_MINUTES * 60:
        return "idle"
    return None


def note_activity(request: HttpRequest) -> None:
    """Restart the idle clock, in steps, so that not every request writes a row."""
    now = timezone.now().timestamp()
    if now - request.session.get(SEEN, 0) > SEEN_STEP_S:
        request.session[SEEN] = now


def not_activity(view: View) -> View:
    """Mark a view that pages ask by themselves: it keeps no forgotten session alive."""
    view.is_not_activity = True  # type: ignore[attr-defined]
    return view


def open_to_owing(view: View) -> View:
    """Mark a view for those who still owe a new password or a second factor."""
    view.is_open_to_owing = True  # type: ignore[attr-defined]
    return view
