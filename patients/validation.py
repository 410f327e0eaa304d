"""What a value must look like before it is stored; pages and API share these rules."""

import unicodedata
from datetime import date

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from patients.folding import fold_number

OLDEST_AGE = 130
MRN_LENGTH = 64
LINE_BREAKS = "\n\r\t"


def check_one_line(text: str) -> None:
    """Refuse control characters and line breaks."""
    if any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in text):
        raise ValidationError(_("This holds characters that can't be stored."), code="characters")


def check_some_lines(text: str) -> None:
    """Refuse control characters other than line breaks."""
    check_one_line(text.translate(dict.fromkeys(map(ord, LINE_BREAKS))))


def check_mrn(mrn: str) -> None:
    """Refuse a medical record number that is no number once spaces are left out."""
    check_one_line(mrn)
    if not 1 <= len(fold_number(mrn)) <= MRN_LENGTH:
        raise ValidationError(_("This is no medical record number."), code="mrn")


def check_birth_date(born: date) -> None:
    """Refuse a date in the future or of more than 130 years ago."""
    today = timezone.localdate()
    if born > today:
        raise ValidationError(_("This date is in the future."), code="future")
    if born.year < today.year - OLDEST_AGE:
        raise ValidationError(_("This date is too long ago."), code="too_old")


def full_years(born: date, day: date) -> int:
    """Return the age in full years on that day."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
