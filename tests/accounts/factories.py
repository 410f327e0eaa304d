"""Accounts, tokens and signed-in clients for the tests of every app."""

from itertools import count
from typing import Any

from django.test import Client

from accounts.models import ApiToken, User
from accounts.roles import Role
from accounts.tokens import create_token

PASSWORD = "correct-horse-battery-31"
_numbers = count(1)


def make_user(role: Role | str = Role.PHYSICIAN, **fields: Any) -> User:
    """Save an account of the role; PASSWORD signs it in."""
    number = next(_numbers)
    fields.setdefault("username", f"{Role(role).value}-{number}")
    fields.setdefault("full_name", f"{Role(role).value.title()} {number}")
    password = fields.pop("password", PASSWORD)
    return User.objects.create_user(password=password, role=Role(role), **fields)


def make_physician(**fields: Any) -> User:
    return make_user(Role.PHYSICIAN, **fields)


def make_nurse(**fields: Any) -> User:
    return make_user(Role.NURSE, **fields)


def make_radiographer(**fields: Any) -> User:
    return make_user(Role.RADIOGRAPHER, **fields)


def make_radiologist(**fields: Any) -> User:
    return make_user(Role.RADIOLOGIST, **fields)


def make_integration(**fields: Any) -> User:
    """Save a program's account: it has no password, only tokens open anything."""
    return make_user(Role.INTEGRATION, **{"password": None, **fields})


def make_administrator(**fields: Any) -> User:
    return make_user(Role.ADMINISTRATOR, **fields)


def make_token(user: User | None = None, *scopes: str, days: int = 1) -> tuple[ApiToken, str]:
    """Save a token of the account (a new integration's by default) and return it with its secret.

    scopes: read and write where none is named.
    """
    return create_token(
        user=user or make_integration(), scopes=scopes or ("read", "write"), by=None, days=days
    )


def client_of(user: User) -> Client:
    """Return a browser in which the account is signed in."""
    client = Client()
    client.force_login(user)
    return client


def api_client(user: User | None = None, *scopes: str) -> Client:
    """Return a program that shows a fresh token of the account with every call."""
    secret = make_token(user, *scopes)[1]
    return Client(headers={"Authorization": f"Bearer {secret}"})
