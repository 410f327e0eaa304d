"""Errors that are meant for the person who asked, and the words for them.

A leaf: every application may import this module, and it imports none of them.
"""

import importlib
import importlib.util
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Message:
    """What happened and what to do now, for one code."""

    what: str | Promise
    do: str | Promise

    def fill(self, params: dict[str, Any]) -> tuple[str, str]:
        """Put the values into both sentences (`%(name)s`)."""
        return _fill(self.what, params), _fill(self.do, params)


def _fill(text: str | Promise, params: dict[str, Any]) -> str:
    return str(text) % params if params else str(text)


class UserError(Exception):
    """A request that can't be met, with a code whose words stand in a messages.py."""

    status = 422

    def __init__(
        self,
        code: str,
        *,
        status: int | None = None,
        field: str | None = None,
        params: dict[str, Any] | None = None,
        errors: dict[str, list[str]] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status = status or type(self).status
        self.field = field
        self.params = params or {}
        self.errors = errors or {}


class NotFound(UserError):  # noqa: N818  (reads as what happened)
    """There is no such thing, or this person may not know of it."""

    status = 404

    def __init__(self, code: str = "not_found", **kwargs: Any) -> None:
        super().__init__(code, **kwargs)


class Forbidden(UserError):  # noqa: N818  (reads as what happened)
    """The role or the token does not allow this."""

    status = 403

    def __init__(self, code: str = "forbidden", **kwargs: Any) -> None:
        super().__init__(code, **kwargs)


class Conflict(UserError):  # noqa: N818  (reads as what happened)
    """The request contradicts what is stored."""

    status = 409


MESSAGES: dict[str, Message] = {
    "not_found": Message(
        _("This page or record does not exist, or is not open to you."),
        _("Check the address, or go back to the worklist."),
    ),
    "forbidden": Message(
        _("Your role does not allow this."),
        _("Ask an administrator if you need it for your work."),
    ),
    "unforeseen": Message(
        _("Something went wrong on our side."),
        _("Try again. If it happens again, tell an administrator the number %(incident)s."),
    ),
    "invalid": Message(
        _("Some fields need a correction."),
        _("Look at the fields that are marked and send the form again."),
    ),
    "too_large": Message(
        _("The request is too large."),
        _("Send fewer or smaller files at once."),
    ),
    "csrf": Message(
        _("This form is out of date."),
        _("Load the page again, then send the form once more."),
    ),
    "bad_request": Message(
        _("The request could not be understood."),
        _("Go back and try again."),
    ),
    "method_not_allowed": Message(
        _("This address does not take that kind of request."),
        _("Look at the API pages for what it takes."),
    ),
    "only_by_button": Message(
        _("This address is for a button of a page, and shows nothing by itself."),
        _("Go back to the page that you came from."),
    ),
    "not_authenticated": Message(
        _("Nobody is signed in, or the token is missing, unknown or out of date."),
        _("Sign in, or send a valid token in the Authorization header."),
    ),
    "throttled": Message(
        _("Too many requests in a short time."),
        _("Wait a moment, then try again."),
    ),
    "unsupported_media_type": Message(
        _("The body has a type that this address does not take."),
        _("Send JSON, or multipart for files."),
    ),
}


@cache
def all_messages() -> dict[str, Message]:
    """Collect the words of every application that has a messages.py."""
    from django.apps import apps

    found = dict(MESSAGES)
    for config in apps.get_app_configs():
        name = f"{config.name}.messages"
        if importlib.util.find_spec(name) is not None:
            found.update(getattr(importlib.import_module(name), "MESSAGES", {}))
    return found


def message_for(code: str) -> Message:
    """The words for a code; a code without words is a fault, and a test looks for it."""
    return all_messages().get(code) or Message(code, "")
