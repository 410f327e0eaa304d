"""The second factor: a code from an authenticator app, or a recovery code in its place."""

from base64 import b32encode
from hashlib import sha256

import segno
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from accounts.models import Authenticator, RecoveryCode, User
from accounts.passwords import readable_secret
from audit.services import record
from xraydx.errors import Conflict, UserError

RECOVERY_CODES = 10


def has_second_factor(user: User) -> bool:
    """Tell whether signing in takes a code."""
    return Authenticator.objects.filter(user=user, confirmed=True).exists()


def must_enrol(user: User) -> bool:
    """Tell whether the site demands a second factor of this role and the account has none."""
    return user.role in settings.SECOND_FACTOR_ROLES and not has_second_factor(user)


def begin_enrolment(user: User) -> Authenticator:
    """Return the account's secret that waits for its first code, the same until then."""
    if has_second_factor(user):
        raise Conflict("second_factor_present")
    waiting = Authenticator.objects.filter(user=user, confirmed=False).first()
    return waiting or Authenticator.make(user)


def qr_code(device: Authenticator) -> SafeString:
    """Return the secret as a QR code: inline SVG without style or script."""
    svg = segno.make(device.config_url, error="m").svg_inline(scale=5, border=4, light="#fff")
    return mark_safe(svg)  # noqa: S308 - paths drawn by segno, no text in them


def readable_key(device: Authenticator) -> str:
    """Return the secret as apps take it by hand: base32 in groups of four."""
    key = b32encode(device.bin_key).decode()
    return " ".join(key[i : i + 4] for i in range(0, len(key), 4))


@transaction.atomic
def confirm_enrolment(*, user: User, code: str) -> list[str]:
    """Switch the second factor on with its first code and return the recovery codes.

    raises: UserError("first_code_wrong"), Conflict where there is nothing to confirm.
    """
    device = Authenticator.objects.select_for_update().filter(user=user, confirmed=False).first()
    if device is None:
        raise Conflict("second_factor_absent")
    if not device.verify_token(_digits(code)):
        raise UserError("first_code_wrong", field="code")
    if has_second_factor(user):
        raise Conflict("second_factor_present")
    device.confirmed = True
    device.save(update_fields=["confirmed"])
    record(actor=user, action="second_factor.enrol", target=user)
    return _replace_codes(user)


@transaction.atomic
def renew_codes(*, user: User) -> list[str]:
    """Replace the recovery codes; the old ones open nothing any more."""
    if not has_second_factor(user):
        raise Conflict("second_factor_absent")
    record(actor=user, action="second_factor.renew_codes", target=user)
    return _replace_codes(user)


@transaction.atomic
def remove_second_factor(*, user: User, by: User) -> None:
    """Switch the second factor off: by its holder, or by an administrator who was asked to."""
    removed, _ = Authenticator.objects.filter(user=user).delete()
    RecoveryCode.objects.filter(user=user).delete()
    if removed:
        record(actor=by, action="second_factor.remove", target=user)


def remove_own(*, user: User) -> None:
    """Switch one's own second factor off.

    raises: Conflict("second_factor_required") where the site demands one of the role.
    """
    if user.role in settings.SECOND_FACTOR_ROLES:
        raise Conflict("second_factor_required")
    remove_second_factor(user=user, by=user)


@transaction.atomic
def check_code(user: User, code: str) -> str | None:
    """Return by what the code was right, "totp" or "recovery_code", None where it is wrong.

    A right code is used up: the same one never counts twice.
    """
    device = Authenticator.objects.select_for_update().filter(user=user, confirmed=True).first()
    if device is None:
        return None
    if len(_digits(code)) == device.digits and _digits(code) == code.replace(" ", "").strip():
        return "totp" if device.verify_token(_digits(code)) else None
    used = RecoveryCode.objects.filter(user=user, used_at=None, digest=_digest(user, code)).update(
        used_at=timezone.now()
    )
    return "recovery_code" if used else None


def codes_left(user: User) -> int:
    """Return how many recovery codes are still unused."""
    return RecoveryCode.objects.filter(user=user, used_at=None).count()


def _replace_codes(user: User) -> list[str]:
    """Store fresh recovery codes, each about 79 random bits, and return them once."""
    codes = [readable_secret() for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create(
        RecoveryCode(user=user, digest=_digest(user, code)) for code in codes
    )
    return codes


def _digest(user: User, code: str) -> str:
    """Return what is stored of a recovery code; hyphens, spaces and case do not matter."""
    bare = "".join(c for c in code.lower() if c.isalnum())
    return sha256(f"{user.pk}:{bare}".encode()).hexdigest()


def _digits(code: str) -> str:
    """Return the ASCII digits of a typed code."""
    return "".join(c for c in code if c in "0123456789")
