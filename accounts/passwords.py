"""Rules for passwords beyond length: none that guessing programs try first, offline.

settings.AUTH_PASSWORD_VALIDATORS names both classes; settings.BREACHED_PASSWORDS may name
a file of SHA-1 digests, one "DIGEST[:count]" a line in ascending order, as collections of
breached passwords are published. It is searched in place, however large it is.
"""

import re
from functools import cache
from hashlib import sha1
from pathlib import Path
from secrets import choice

from django.conf import settings
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

# No 0, O, 1, l, i: a one-time password is read out on the telephone.
READABLE = "abcdefghjkmnpqrstuvwxyz23456789"
LOCAL_WORDS = frozenset(
    {
        "xraydx", "hospital", "emergency", "emergencyroom", "radiology", "radiologist",
        "radiographer", "physician", "doctor", "nurse", "patient", "chestxray", "xray",
        "administrator", "triage", "clinic", "medical", "health",
    }
)  # fmt: skip
DISGUISES = str.maketrans("0134578@$!", "oieastbasi")
EDGES = re.compile(r"^[\W\d_]+|[\W\d_]+$")


def readable_secret() -> str:
    """Return 16 readable characters in four groups, about 79 random bits."""
    return "-".join("".join(choice(READABLE) for _ in range(4)) for _ in range(4))


@cache
def common_passwords() -> frozenset[str]:
    """Return the 20,000 most common passwords that come with Django, and words of this place."""
    listed = password_validation.CommonPasswordValidator().passwords
    return frozenset(listed) | LOCAL_WORDS


def is_common(password: str) -> bool:
    """Tell whether a common password shows through digits, signs and look-alike letters."""
    plain = password.lower().strip()
    if plain.isdigit() or len(set(plain)) < 5:
        return True
    bare = EDGES.sub("", plain)
    forms = {plain, bare, plain.translate(DISGUISES), bare.translate(DISGUISES)}
    forms |= {EDGES.sub("", form) for form in forms}
    forms |= {_unrepeated(form) for form in forms}
    return any(form in common_passwords() for form in forms if form)


def is_breached(password: str, path: Path) -> bool:
    """Tell whether the password's SHA-1 stands in the sorted file, by bisection."""
    wanted = sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
    with path.open("rb") as file:
        low, high = 0, path.stat().st_size
        while low < high:
            middle = (low + high) // 2
            file.seek(middle)
            if middle:
                file.readline()
            line = file.readline()
            if not line or line[:40].upper() >= wanted:
                high = middle
            else:
                low = middle + 1
        file.seek(low)
        if low:
            file.readline()
        return file.readline()[:40].upper() == wanted


def _unrepeated(text: str) -> str:
    """Return the part that the text repeats: "nursenurse" gives "nurse"."""
    return text[: (text + text).find(text, 1)] if text else text


class CommonPasswordValidator:
    """Refuses what guessing programs try first."""

    def validate(self, password: str, user: object = None) -> None:
        """Raise ValidationError for a common password, however it is dressed up."""
        if is_common(password):
            raise ValidationError(
                _("This is too close to a password that many people use."), code="password_common"
            )

    def get_help_text(self) -> str:
        """Say the rule."""
        return _("No common word or password, also not with digits added to it.")


class BreachedPasswordValidator:
    """Refuses passwords that stand in the site's collection of breached ones, if it has one."""

    def validate(self, password: str, user: object = None) -> None:
        """Raise ValidationError for a breached password."""
        path = settings.BREACHED_PASSWORDS
        if path and is_breached(password, Path(path)):
            raise ValidationError(
                _("This password has appeared in a breach elsewhere."), code="password_breached"
            )

    def get_help_text(self) -> str:
        """Say the rule."""
        return _("No password that has appeared in a breach.")
