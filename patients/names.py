"""A patient's name, and sex in a list, as the reader's language writes them."""

import unicodedata

from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext as _

# Written without a space between family and given name.
CLOSED_SCRIPTS = (("\uac00", "\ud7a3"), ("\u4e00", "\u9fff"), ("\u3400", "\u4dbf"))
FAMILY_FIRST = {"ko", "vi"}
# Stored for whoever has no name yet; shown in the language of whoever reads it.
UNIDENTIFIED = "Unidentified"
SEX_LETTERS = {
    "F": pgettext_lazy("sex in a list", "F"),
    "M": pgettext_lazy("sex in a list", "M"),
    "O": pgettext_lazy("sex in a list", "O"),
    "U": pgettext_lazy("sex in a list", "U"),
}


def display_name(family: str, given: str) -> str:
    """Return both names in one line, composed (NFC), so that every font draws them.

    Korean and Vietnamese put the family name first without a mark. Elsewhere a comma says
    which is which, because a list holds names of both orders.
    """
    family, given = (unicodedata.normalize("NFC", name) for name in (family, given))
    if family == UNIDENTIFIED and not given:
        return _("Unidentified")
    if not given or not family:
        return family or given
    if _is_closed(family) and _is_closed(given):
        return family + given
    if (get_language() or "").partition("-")[0] in FAMILY_FIRST:
        return f"{family} {given}"
    return f"{family}, {given}"


def _is_closed(name: str) -> bool:
    return all(any(low <= c <= high for low, high in CLOSED_SCRIPTS) for c in name)
