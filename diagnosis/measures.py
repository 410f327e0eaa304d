"""Figures that the bundles of a release keep, beside those of their operating points."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from ml.bundle import Release


@lru_cache(maxsize=64)
def measured(folder: Path) -> dict[str, Any]:
    """What was measured of a bundle (metrics.json); empty where nothing is kept."""
    path = folder / "metrics.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return found


def figure_in(found: Any, *keys: str) -> float | None:
    """The number below these keys, None where there is none."""
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return float(found) if isinstance(found, int | float) else None


def child_over_calls(release: Release) -> int | None:
    """Of 100 healthy children's films, how many the children's reader calls pneumonia (test)."""
    bundle = release.bundles.get("paediatric")
    if bundle is None:
        return None
    specificity = figure_in(measured(bundle.folder), "test", "specificity", "value")
    return None if specificity is None else round(100 * (1 - specificity))
