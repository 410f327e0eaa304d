"""Proves who signs in by password; capabilities come from the table of roles, not from here."""

from typing import Any
from uuid import UUID

from django.contrib.auth.backends import BaseBackend
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from accounts.models import User


class PasswordBackend(BaseBackend):
    """User name and password."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **credentials: Any,
    ) -> User | None:
        """Return the active account with this name and password, else None.

        An unknown name costs as much time as a wrong password, so that the time
        taken does not tell which names exist.
        """
        if not username or password is None:
            return None
        user = User.objects.filter(username=User.normalize_username(username)).first()
        if user is None:
            User().set_password(password)
            return None
        return user if user.check_password(password) and user.is_active else None

    def get_user(self, user_id: UUID | str) -> User | None:
        """Return the account of a session, None once it is closed."""
        try:
            return User.objects.filter(pk=user_id, is_active=True).first()
        except ValidationError:
            return None
