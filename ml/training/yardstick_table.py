"""The yardstick's figures beside those of the anomaly networks, for docs/models.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STORED = Path(__file__).parent / "measured" / "yardstick.json"
NAMES = {
    "nih_mined_labels": "AUC, NIH's mined labels",
    "opacity_v_normal_448px": "AUC, opacity against normal, 448 px",
    "guangzhou": "AUC, Guangzhou",
    "guangzhou_numbers_not_in_train": "AUC, Guangzhou, patient numbers not in train",
}


def lines_of(figures: Mapping[str, Any]) -> list[str]:
    """Lines of Markdown."""
    lines = [
        f"PatchCore (Roth et al., CVPR 2022) on the features of classifier "
        f"{figures['classifier']}: {figures['patches']} patches of normal training films are "
        f"remembered. Unlike the anomaly networks, its features were learned from films with "
        f"disease. Written by `{figures['command']}`.",
        "",
        "| figure | value |",
        "|---|---|",
    ]
    lines += [
        f"| {text} | {_interval(figures['test'][name])} |"
        for name, text in NAMES.items()
        if name in figures["test"]
    ]
    pointing = figures["pointing_at_nih_boxes"]
    return [
        *lines,
        f"| pointing into NIH's boxes, by chance {pointing['chance']:.3f} | "
        f"{_interval(pointing)} |",
    ]


def _interval(value: Mapping[str, float]) -> str:
    return f"{value['value']:.3f} ({value['low']:.3f}–{value['high']:.3f})"


def yardstick_lines(path: Path = STORED) -> list[str]:
    """Lines of Markdown from what is stored; empty where nothing is."""
    return lines_of(json.loads(path.read_text())) if path.exists() else []
