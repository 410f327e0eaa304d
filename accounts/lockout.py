"""Slows guessing down: per account name and address, in PostgreSQL, 15 minutes at most.

The address alone locks nobody out, so a whole ER behind one proxy stays open; the account
alone locks nobody out either, so a stranger elsewhere can't keep a physician outside.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.models import SignInCounter, User
from accounts.permissions import for_administrators
from audit.context import current
from audit.services import record
from xraydx.errors import UserError

FREE_FAILURES = 3
LONGEST_WAIT = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(hours=1)

PASSWORD = "password"  # noqa: S105 - what is being proved, no secret
CODE = "code"


def wait_after(failures: int) -> timedelta:
    """Return how long to wait after so many failures: nothing, then 2, 4, 8 … s, up to 15 min."""
    if failures <= FREE_FAILURES:
        return timedelta(0)
    return min(timedelta(seconds=2.0 ** min(failures - FREE_FAILURES, 20)), LONGEST_WAIT)


def account_key(username: str, proof: str = PASSWORD) -> str:
    """Return the digest under which failures of this user name are counted."""
    value = f"{proof}:{User.normalize_username(username)}"
    return salted_hmac("accounts.lockout", value, algorithm="sha256").hexdigest()


@transaction.atomic
def begin_attempt(username: str, proof: str = PASSWORD) -> None:
    """Count an attempt before it is checked, so that many at once gain nothing.

    raises: UserError("sign_in_delayed") while the last failures still cost time; such an
    attempt is neither checked nor counted.
    """
    counter, _ = SignInCounter.objects.select_for_update().get_or_create(
        account=account_key(username, proof), address=current().address or ""
    )
    now = timezone.now()
    if counter.locked_until is not None and counter.locked_until > now:
        left = (counter.locked_until - now).total_seconds()
        raise UserError("sign_in_delayed", status=429, params={"seconds": int(left) + 1})
    if now - counter.failed_at > FORGOTTEN_AFTER:
        counter.failures = 0
    counter.failures += 1
    counter.failed_at = now
    wait = wait_after(counter.failures)
    counter.locked_until = now + wait if wait else None
    counter.save()


def end_attempt(username: str, proof: str = PASSWORD) -> None:
    """Forget the failures from this address: the attempt was a success."""
    SignInCounter.objects.filter(
        account=account_key(username, proof), address=current().address or ""
    ).delete()


def locked_until(user: User) -> datetime | None:
    """Return until when the account waits at some address, None where it waits nowhere."""
    return (
        SignInCounter.objects.filter(account__in=_keys(user), locked_until__gt=timezone.now())
        .order_by("-locked_until")
        .values_list("locked_until", flat=True)
        .first()
    )


@for_administrators
@transaction.atomic
def lift_lock_out(*, user: User, by: User) -> None:
    """Let the account try again at once, from every address."""
    SignInCounter.objects.filter(account__in=_keys(user)).delete()
    record(actor=by, action="user.lift_lock_out", target=user)


def forget_old_attempts() -> int:
    """Remove counters that no longer count, and return how many."""
    old = timezone.now() - FORGOTTEN_AFTER
    return SignInCounter.objects.filter(failed_at__lt=old).delete()[0]


def _keys(user: User) -> list[str]:
    """Return the digests under which this account's failures are counted."""
    return [account_key(user.username, proof) for proof in (PASSWORD, CODE)]
