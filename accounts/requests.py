"""What views ask of a request: who sent it, and whether htmx did for a part of a page."""

from django.http import HttpRequest
from rest_framework.request import Request

from accounts.models import User


def user_of(request: HttpRequest | Request) -> User:
    """Return who is signed in or holds the token; nobody else gets as far as a view."""
    assert isinstance(request.user, User)
    return request.user


def is_partial(request: HttpRequest) -> bool:
    """Tell whether a part of a page was asked for."""
    return request.headers.get("HX-Request") == "true"
