"""Every write to an account that is not part of signing in."""

from datetime import datetime, timedelta

from django.contrib.auth import password_validation
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import lockout, second_factor
from accounts.language import check_language
from accounts.models import ApiToken, User, new_session_salt
from accounts.passwords import readable_secret
from accounts.permissions import for_administrators
from accounts.roles import Role
from audit.services import record
from xraydx.errors import Conflict, UserError

ONE_TIME_PASSWORD_LASTS = timedelta(hours=72)


@for_administrators
def create_user(
    *, username: str, full_name: str, role: str, by: User | None
) -> tuple[User, str | None]:
    """Add an account and return it with its one-time password (None for a program's).

    by: the administrator, None for the command line.
    raises: Conflict("username_taken").
    """
    password = None if role == Role.INTEGRATION else readable_secret()
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                username=username,
                password=password,
                full_name=full_name,
                role=Role(role),
                must_change_password=password is not None,
                one_time_until=_one_time_until(password),
            )
            record(actor=by, action="user.create", target=user, detail={"role": role})
    except IntegrityError as error:
        raise Conflict("username_taken", field="username") from error
    return user, password


@for_administrators
@transaction.atomic
def edit_user(*, user: User, full_name: str, role: str, by: User) -> None:
    """Change name and role.

    raises: Conflict("last_administrator") where nobody would be left to manage users,
    Conflict("role_needs_new_account") between a person and a program.
    """
    user = _locked(user)
    changed = [
        field
        for field, value in (("full_name", full_name), ("role", role))
        if getattr(user, field) != value
    ]
    if not changed:
        return
    if (user.role == Role.INTEGRATION) != (role == Role.INTEGRATION):
        raise Conflict("role_needs_new_account", field="role")
    if user.role == Role.ADMINISTRATOR != role:
        _keep_an_administrator(user)
    before = user.role
    user.full_name, user.role = full_name, role
    user.save(update_fields=["full_name", "role"])
    record(
        actor=by,
        action="user.edit",
        target=user,
        detail={"fields": [*changed], "role_before": before, "role": role},
    )


@for_administrators
@transaction.atomic
def deactivate_user(*, user: User, by: User) -> None:
    """Close the account: its sessions and tokens open nothing from now on.

    raises: Conflict("own_account"), Conflict("last_administrator").
    """
    if user.pk == by.pk:
        raise Conflict("own_account")
    user = _locked(user)
    if user.role == Role.ADMINISTRATOR:
        _keep_an_administrator(user)
    user.is_active = False
    user.session_salt = new_session_salt()
    user.save(update_fields=["is_active", "session_salt"])
    ApiToken.objects.filter(user=user, revoked_at=None).update(revoked_at=timezone.now())
    record(actor=by, action="user.deactivate", target=user)


@for_administrators
@transaction.atomic
def activate_user(*, user: User, by: User) -> None:
    """Open a closed account again; its old tokens stay revoked."""
    User.objects.filter(pk=user.pk).update(is_active=True)
    record(actor=by, action="user.activate", target=user)


@for_administrators
@transaction.atomic
def reset_password(*, user: User, by: User) -> str:
    """Replace the password by a one-time one, close all sessions and return it.

    raises: Conflict("program_has_no_password").
    """
    if user.role == Role.INTEGRATION:
        raise Conflict("program_has_no_password")
    password = readable_secret()
    user = _locked(user)
    user.set_password(password)
    user.must_change_password = True
    user.one_time_until = _one_time_until(password)
    user.session_salt = new_session_salt()
    user.save(update_fields=["password", "must_change_password", "one_time_until", "session_salt"])
    record(actor=by, action="user.reset_password", target=user)
    return password


@for_administrators
@transaction.atomic
def reset_second_factor(*, user: User, by: User) -> None:
    """Remove the second factor of somebody who lost it."""
    second_factor.remove_second_factor(user=user, by=by)


@transaction.atomic
def change_password(*, user: User, password: str) -> None:
    """Set the password that its holder chose; other sessions end.

    raises: UserError("password_weak") with the reasons under errors, UserError("password_same").
    """
    if user.check_password(password):
        raise UserError("password_same", field="password")
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise UserError(
            "password_weak", field="password", errors={"password": list(error.messages)}
        ) from error
    user.set_password(password)
    user.must_change_password = False
    user.one_time_until = None
    user.password_changed_at = timezone.now()
    user.save(
        update_fields=["password", "must_change_password", "one_time_until", "password_changed_at"]
    )
    record(actor=user, action="user.change_password", target=user)


@transaction.atomic
def choose_language(*, user: User, language: str) -> None:
    """Keep in which language the platform speaks to this user.

    raises: UserError("language_unknown").
    """
    check_language(language)
    user = _locked(user)
    user.preferences["language"] = language
    user.save(update_fields=["preferences"])
    record(actor=user, action="user.choose_language", target=user, detail={"language": language})


@transaction.atomic
def bootstrap_admin(*, username: str = "admin") -> str | None:
    """Make the first administrator and return the password; None where there is an account."""
    if User.objects.filter(username=username).exists():
        return None
    password = readable_secret()
    user = User.objects.create_user(
        username=username,
        password=password,
        full_name="Administrator",
        role=Role.ADMINISTRATOR,
    )
    record(actor=None, action="user.create", target=user, detail={"role": Role.ADMINISTRATOR.value})
    return password


def tidy() -> None:
    """Remove what has run out: sessions, and failures that no longer count."""
    lockout.forget_old_attempts()
    Session.objects.filter(expire_date__lt=timezone.now()).delete()


def _one_time_until(password: str | None) -> datetime | None:
    """Return until when a one-time password opens the account."""
    return None if password is None else timezone.now() + ONE_TIME_PASSWORD_LASTS


def _locked(user: User) -> User:
    """Return the account's row, held until the transaction ends."""
    return User.objects.select_for_update().get(pk=user.pk)


def _keep_an_administrator(user: User) -> None:
    """Raise Conflict where this is the last administrator who can sign in.

    All administrators' rows are held, so that two who close each other's account at the
    same moment come one after the other.
    """
    administrators = User.objects.select_for_update().filter(
        role=Role.ADMINISTRATOR, is_active=True
    )
    if not [other for other in administrators.order_by("pk") if other.pk != user.pk]:
        raise Conflict("last_administrator")
