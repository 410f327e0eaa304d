"""Signing in: password, then a code where the account has a second factor."""

from dataclasses import dataclass

from django.contrib.auth import authenticate, login, logout
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import lockout, second_factor
from accounts.models import User, new_session_salt
from accounts.permissions import Capability, require
from accounts.sessions import begin_session
from audit.services import record
from xraydx.errors import UserError

BACKEND = "accounts.backends.PasswordBackend"
PENDING = "sign_in_pending"
PENDING_S = 300


@dataclass(frozen=True)
class Proved:
    """Whose password was right, and whether a code is still to come."""

    user: User
    needs_code: bool


def prove_password(*, username: str, password: str) -> Proved:
    """Check user name and password.

    raises: UserError("sign_in_delayed") after too many failures, UserError("sign_in_failed")
    for an unknown name, a wrong password and a closed account alike.
    """
    try:
        lockout.begin_attempt(username)
    except UserError:
        _record_failure(username, "delayed")
        raise
    user = authenticate(None, username=username, password=password)
    if not isinstance(user, User):
        _record_failure(username, "password")
        raise UserError("sign_in_failed")
    if user.one_time_until is not None and user.one_time_until < timezone.now():
        _record_failure(username, "one_time_password_expired")
        raise UserError("one_time_password_expired")
    lockout.end_attempt(username)
    return Proved(user=user, needs_code=second_factor.has_second_factor(user))


def remember_proof(request: HttpRequest, user: User) -> None:
    """Keep for five minutes, on the server, that this browser knew the password."""
    request.session.cycle_key()
    request.session[PENDING] = {
        "user": str(user.pk),
        "hash": user.get_session_auth_hash(),
        "at": timezone.now().timestamp(),
    }


def proved_user(request: HttpRequest) -> User | None:
    """Return whose password this browser knew within the last five minutes."""
    pending = request.session.get(PENDING)
    if not pending or timezone.now().timestamp() - pending["at"] > PENDING_S:
        return None
    user = User.objects.filter(pk=pending["user"], is_active=True).first()
    if user is None or user.get_session_auth_hash() != pending["hash"]:
        return None
    return user


def prove_code(*, user: User, code: str) -> None:
    """Check a code of the second factor.

    raises: UserError("sign_in_delayed"), UserError("code_wrong").
    """
    try:
        lockout.begin_attempt(user.username, lockout.CODE)
    except UserError:
        _record_failure(user.username, "code_delayed")
        raise
    by = second_factor.check_code(user, code)
    if by is None:
        _record_failure(user.username, "code")
        raise UserError("code_wrong", field="code")
    lockout.end_attempt(user.username, lockout.CODE)
    record(actor=user, action="second_factor.check", target=user, reason=by)


def confirm_password(*, user: User, password: str) -> None:
    """Check the password of somebody who is signed in, at the same pace as signing in.

    raises: UserError("sign_in_delayed"), UserError("password_wrong").
    """
    lockout.begin_attempt(user.username)
    if not user.check_password(password):
        record(actor=user, action="sign_in.failed", target=user, reason="confirm_password")
        raise UserError("password_wrong", field="current")
    lockout.end_attempt(user.username)


def complete(request: HttpRequest, user: User) -> None:
    """Open the session of somebody who has proved all that is asked of them."""
    request.session.pop(PENDING, None)
    login(request, user, backend=BACKEND)
    begin_session(request)
    record(actor=user, action="sign_in.succeed", target=user)


def sign_out(request: HttpRequest) -> None:
    """Close this session."""
    if isinstance(request.user, User):
        record(actor=request.user, action="sign_in.end", target=request.user)
    logout(request)


def end_sessions(*, user: User, by: User) -> None:
    """Close every session of the account, on every machine: one's own, or as an administrator."""
    if by.pk != user.pk:
        require(by, Capability.manage_users)
    with transaction.atomic():
        user.session_salt = new_session_salt()
        user.save(update_fields=["session_salt"])
        record(actor=by, action="user.end_sessions", target=user)


def _record_failure(username: str, reason: str) -> None:
    """Record a failed sign-in: the account where there is one, never the name that was typed."""
    user = User.objects.filter(username=User.normalize_username(username)).first()
    if reason == "password" and user is None:
        reason = "unknown_account"
    elif reason == "password" and user is not None and not user.is_active:
        reason = "inactive"
    record(actor=None, action="sign_in.failed", target=user, reason=reason)
