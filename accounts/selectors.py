"""Every read about accounts, permission included."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts import lockout, second_factor
from accounts.models import ApiToken, Authenticator, User
from accounts.permissions import Capability, require
from accounts.roles import Role
from xraydx.errors import NotFound


def users_for(by: User, *, name: str = "", role: str = "", state: str = "") -> QuerySet[User]:
    """Return the accounts of a role and state ("active", "closed"), "" for any.

    name: a part of the name or of the user name
    """
    require(by, Capability.manage_users)
    devices = Authenticator.objects.filter(user=OuterRef("pk"), confirmed=True)
    users = User.objects.annotate(second_factor=Exists(devices)).order_by("username")
    if name:
        users = users.filter(Q(username__icontains=name) | Q(full_name__icontains=name))
    if role in Role.values:
        users = users.filter(role=role)
    if state in {"active", "closed"}:
        users = users.filter(is_active=state == "active")
    return users


def user_for(by: User, user_id: UUID) -> User:
    """Return the account, or raise NotFound."""
    require(by, Capability.manage_users)
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NotFound("user_not_found")
    return user


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """Return the account's tokens, the newest first, revoked and expired ones too."""
    return ApiToken.objects.filter(user=user).order_by("-created_at")


def token_of(user: User, token_id: UUID) -> ApiToken:
    """Return a token of this account, or raise NotFound."""
    token = tokens_of(user).filter(pk=token_id).first()
    if token is None:
        raise NotFound("token_not_found")
    return token


def waits_until(user: User) -> datetime | None:
    """Return until when signing in waits somewhere after failures, None where it does not."""
    return lockout.locked_until(user)


def second_factor_state(user: User) -> dict[str, object]:
    """Return whether there is a second factor, how many recovery codes are left, and need."""
    present = second_factor.has_second_factor(user)
    return {
        "present": present,
        "codes_left": second_factor.codes_left(user) if present else 0,
        "required": user.role in settings.SECOND_FACTOR_ROLES,
    }
