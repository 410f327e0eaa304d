"""Lists the changes of the ablation and writes their table; needs no torch."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parent / "ablation"
BASE = "base"


def changes(folder: Path = FOLDER) -> list[str]:
    """Names of all changes, in the order in which they are run; the base comes first."""
    order = tomllib.loads((folder / "base.toml").read_text())["order"]
    return [BASE, *order]


def table(folder: Path = FOLDER) -> list[str]:
    """The lines of the table in docs/models.md; changes without figures are named below it."""
    lines = [
        "| change | mean AUC of 13 | more than the base | any finding | configuration |",
        "|---|---|---|---|---|",
    ]
    missing = []
    for name in changes(folder):
        said = tomllib.loads((folder / f"{name}.toml").read_text())["what"]
        stored = folder / f"{name}.json"
        if not stored.exists():
            missing.append(said)
            continue
        figures = json.loads(stored.read_text())
        gain = figures.get("more than the base")
        lines.append(
            f"| {said} | {_interval(figures['mean AUC of 13'])} | "
            f"{_interval(gain, signed=True) if gain else ''} | "
            f"{_interval(figures['any label against No Finding'])} | "
            f"[{name}](../ml/training/ablation/{name}.toml) |"
        )
    if missing:
        lines += ["", f"Configured and not run yet: {'; '.join(missing)}."]
    return lines


def _interval(value: Mapping[str, float], *, signed: bool = False) -> str:
    form = "{:+.3f}" if signed else "{:.3f}"
    middle, low, high = (form.format(value[key]) for key in ("value", "low", "high"))
    return f"{middle} ({low} to {high})" if signed else f"{middle} ({low}–{high})"
