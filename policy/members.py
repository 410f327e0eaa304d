"""What the members of a release are called on pages."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from ml.bundle import Release

MEMBERS: dict[str, str | Promise] = {
    "gate": _("Check before reading"),
    "classifier": _("The 13 findings"),
    "detector": _("Boxes"),
    "anatomy": _("Lungs and heart"),
    "unet": _("U-Net"),
    "reversed_ae": _("Reversed AE"),
    "paediatric": _("Children's reader"),
    "synthetic": _("Drawn films"),
}


def members_of(release: Release) -> list[tuple[str | Promise, str]]:
    """Return name and version of each member; a member without words goes by its code."""
    return [(MEMBERS.get(code, code), version) for code, version in release.versions.items()]
