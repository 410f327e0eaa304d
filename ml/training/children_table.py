"""The readers of children's films side by side, for docs/models.md; needs no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STORED = Path(__file__).parent / "measured" / "children.json"
NAMES = {"Paediatric": "MobileNetV2", "Xception": "Xception's kind"}
COLUMNS = (
    ("val", "AUC"),
    ("val, shapes of the classes swapped", "AUC"),
    ("val, shapes of the classes swapped", "accuracy"),
    ("test", "AUC"),
    ("test", "accuracy"),
    ("test, patient numbers not in train", "AUC"),
    ("test, patient numbers not in train", "accuracy"),
)


def lines_of(figures: Mapping[str, Any]) -> list[str]:
    """Lines of Markdown."""
    head = [
        "config",
        "network",
        "films drawn",
        "MB",
        *(f"{part}: {name}" for part, name in COLUMNS),
    ]
    lines = [
        "The same films for all; calibration and threshold are each network's own, fitted on val. "
        f"Written by `{figures['command']}`.",
        "",
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
    ]
    for name, run in figures["runs"].items():
        cells = [name, NAMES[run["network"]], f"{run['films drawn']:,}", f"{run['megabytes']:.1f}"]
        cells += [_interval(run[part][figure]) for part, figure in COLUMNS]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _interval(value: Mapping[str, float]) -> str:
    return f"{value['value']:.3f} ({value['low']:.3f}–{value['high']:.3f})"


def children_lines(path: Path = STORED) -> list[str]:
    """Lines of Markdown from what is stored; empty where nothing is."""
    return lines_of(json.loads(path.read_text())) if path.exists() else []
