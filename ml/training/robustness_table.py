"""The table of altered films in docs/models.md, from its stored figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STORED = Path(__file__).parent / "measured" / "robustness.json"


def lines_of(figures: Mapping[str, Any]) -> list[str]:
    """Lines of Markdown."""
    lines = [
        f"{figures['films']} test films, altered before they are read, by classifier "
        f"{figures['classifier']}; the interval is that of the difference, over patients. Written "
        f"by `{figures['command']}`.",
        "",
        "| alteration | mean AUC of 13 | change | refused by the gate |",
        "|---|---|---|---|",
    ]
    for name, row in figures["alterations"].items():
        change = row["change"]
        lines.append(
            f"| {name} | {row['mean AUC']:.3f} | {change['value']:+.3f} ({change['low']:+.3f} to "
            f"{change['high']:+.3f}) | {100 * row['refused']:.1f} % |"
        )
    again = figures["repeated"]
    said = "the same to the last bit" if again["identical"] else "not the same"
    return [*lines, "", f"{again['films']} films read twice, by two loaded readers: {said}."]


def robustness_lines(path: Path = STORED) -> list[str]:
    """Lines of Markdown from what is stored; empty where nothing is."""
    return lines_of(json.loads(path.read_text())) if path.exists() else []
