"""Checks at start: what a reading needs, with a hint that says how to mend it."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from ml import bundle
from ml.refusal import DECODE_CODES, GATE_CODES

from . import messages


@register()
def check_release(app_configs: Any, **_kwargs: Any) -> Sequence[CheckMessage]:
    """The release that films are read with is there."""
    try:
        # Not the site's choice, which stands in a database that need not run during checks.
        bundle.current_release(settings.RELEASE or None)
    except bundle.ReleaseError:
        wanted = settings.RELEASE or "any"
        return [
            Warning(
                f"No release of the networks can be found (wanted: {wanted}).",
                hint="Unset XRAYDX_RELEASE, or restore the folder ml/weights.",
                id="diagnosis.W001",
            )
        ]
    return []


@register()
def check_words(app_configs: Any, **_kwargs: Any) -> Sequence[CheckMessage]:
    """Every reason for which a film can be refused has words."""
    silent = (DECODE_CODES - messages.UNDECODABLE.keys()) | (GATE_CODES - messages.UNFIT.keys())
    return [
        Error(
            f"The refusal {code} has no words.",
            hint="Add it to diagnosis/messages.py.",
            id="diagnosis.E001",
        )
        for code in sorted(silent)
    ]
