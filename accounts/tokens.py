"""API tokens: making, recognising and revoking them."""

from collections.abc import Collection
from datetime import timedelta
from hashlib import sha256
from secrets import token_urlsafe

from django.db import transaction
from django.utils import timezone

from accounts.models import ApiToken, Scope, User
from audit.services import record
from xraydx.errors import UserError

PREFIX = "xdx_"
DAYS_DEFAULT = 365
DAYS_MAX = 3650
LAST_USED_STEP = timedelta(minutes=1)


def digest_of(token: str) -> str:
    """Return what is stored of a token: 256 random bits need no slow hash."""
    return sha256(token.encode()).hexdigest()


@transaction.atomic
def create_token(
    *,
    user: User,
    scopes: Collection[str],
    by: User | None,
    name: str = "",
    days: int = DAYS_DEFAULT,
) -> tuple[ApiToken, str]:
    """Make a token for the account; the second value is shown once and never again.

    by: who makes it, None for the command line.
    raises: UserError where scopes or days are out of range, or the account is closed.
    """
    wanted = sorted(set(scopes))
    if not wanted or not set(wanted) <= set(Scope.values):
        raise UserError("token_scopes_unknown", field="scopes")
    if not 1 <= days <= DAYS_MAX:
        raise UserError("token_days_out_of_range", field="days", params={"max": DAYS_MAX})
    if not user.is_active:
        raise UserError("account_inactive")
    secret = PREFIX + token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name,
        hint=secret[: len(PREFIX) + 4],
        digest=digest_of(secret),
        scopes=wanted,
        created_by=by,
        expires_at=timezone.now() + timedelta(days=days),
    )
    record(
        actor=by, action="token.create", target=token, detail={"user": user.pk, "scopes": [*wanted]}
    )
    return token, secret


@transaction.atomic
def revoke_token(*, token: ApiToken, by: User) -> None:
    """End a token at once; a second time changes nothing."""
    changed = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(
        revoked_at=timezone.now()
    )
    if changed:
        record(actor=by, action="token.revoke", target=token, detail={"user": token.user_id})


def token_for(secret: str) -> ApiToken | None:
    """Return the valid token with this secret, its account loaded; None where there is none."""
    if not secret.startswith(PREFIX):
        return None
    token = ApiToken.objects.select_related("user").filter(digest=digest_of(secret)).first()
    if token is None or not token.is_valid or not token.user.is_active:
        return None
    return token


def note_use(token: ApiToken) -> None:
    """Keep when the token was last used, to the minute: one write a minute, not one a call."""
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > LAST_USED_STEP:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
