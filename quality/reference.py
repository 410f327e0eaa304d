"""What a release gave for its validation films: deciles of each quantity."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

FOLDER = Path(__file__).parent / "references"
# Of the film, before any disease is thought of; what comes after these are the results.
INPUTS: dict[str, str | Promise] = {
    "frontal": _("How frontal the view is"),
    "lung_fraction": _("Share of the film that is lung"),
    "cardiothoracic_ratio": _("Heart to chest width"),
    "unet": _("Unusual by U-Net"),
    "reversed_ae": _("Unusual by reversed AE"),
}
ABNORMAL = "abnormal"


def quantities_of(
    *,
    quality: Mapping[str, Any] | None,
    anatomy: Mapping[str, Any] | None,
    anomaly: Mapping[str, Any] | None,
    abnormal: float | None,
    probabilities: Mapping[str, float],
) -> dict[str, float]:
    """Return every quantity of one film that drift is looked for in, None ones left out."""
    found: dict[str, float | None] = {
        "frontal": (quality or {}).get("frontal"),
        "lung_fraction": (anatomy or {}).get("lung_fraction"),
        "cardiothoracic_ratio": (anatomy or {}).get("cardiothoracic_ratio"),
        "unet": ((anomaly or {}).get("unet") or {}).get("score"),
        "reversed_ae": ((anomaly or {}).get("reversed_ae") or {}).get("score"),
        ABNORMAL: abnormal,
        **probabilities,
    }
    return {name: float(value) for name, value in found.items() if value is not None}


@lru_cache(maxsize=4)
def reference_of(release: str) -> Mapping[str, list[float]] | None:
    """Return quantity → nine inner deciles, None where none were measured for the release."""
    path = FOLDER / f"{release}.json"
    if not path.is_file():
        return None
    deciles: dict[str, list[float]] = json.loads(path.read_text(encoding="utf-8"))["deciles"]
    return deciles
