"""In which language the platform speaks to somebody: their own choice, else the browser's."""

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import translation

from accounts.models import User
from xraydx.errors import UserError


def check_language(language: str) -> None:
    """Refuse a language without a catalogue.

    raises: UserError("language_unknown").
    """
    if language not in dict(settings.LANGUAGES):
        raise UserError("language_unknown", status=400)


def speak_language_of(request: HttpRequest) -> None:
    """Answer in the language that the account chose; without a choice leave what there is.

    LocaleMiddleware has looked at cookie and browser before.
    """
    user = request.user
    chosen = user.preferences.get("language") if isinstance(user, User) else None
    if chosen in dict(settings.LANGUAGES):
        translation.activate(chosen)
        request.LANGUAGE_CODE = chosen  # type: ignore[attr-defined]


def remember_language(response: HttpResponseBase, language: str) -> None:
    """Keep the language in this browser, for the pages before the sign-in."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite="Lax",
        secure=settings.LANGUAGE_COOKIE_SECURE,
    )
