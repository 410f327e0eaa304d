"""Tables of docs/models.md that a card shows as single lines: what the gate does, whose normal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GATE_COLUMNS = {
    "map_50": "mAP at IoU 0.5",
    "shown_hit_0.1": "findings with a drawn hit, IoU > 0.1",
    "shown_hit_0.3": "IoU > 0.3",
    "shown_hit_0.5": "IoU > 0.5",
    "false_boxes_normal_films_448px": "boxes per normal film, 448 px",
    "false_boxes_normals_224px": "224 px",
}
GROUP_COLUMNS = {
    "nih_mined_labels": "NIH's mined labels",
    "opacity_v_normal_448px": "opacity against normal, 448 px",
    "opacity_v_all_normals": "opacity against all normals",
    "guangzhou": "Guangzhou",
}


def _table(first: str, columns: Mapping[str, str], rows: Mapping[str, Any]) -> list[str]:
    lines = [
        f"| {first} | {' | '.join(columns.values())} |",
        "|---" * (1 + len(columns)) + "|",
    ]
    for name, row in rows.items():
        cells = (f"{row[key]:.3f}" if key in row else "–" for key in columns)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def gate_lines(metrics: Mapping[str, Any]) -> list[str]:
    """What the classifier's gate does to drawn boxes, on test; empty for an older detector."""
    rows = metrics.get("gate_on_test", {})
    if not rows:
        return []
    return [
        "",
        "Two-stage reading on the test films, by the power of the classifier's probability in a "
        f"box's score; {metrics['gate']:g} is served, chosen on val. Every row has thresholds of "
        "its own, fitted to the same number of boxes on normal val films.",
        "",
        *_table("gate", GATE_COLUMNS, rows),
    ]


def normal_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Whether adults and children need a normal of their own, on val; empty where not measured."""
    rows = metrics.get("val_normal_group", {})
    if not rows:
        return []
    return [
        "",
        "AUC on val where the same network's score is fitted on other normal films:",
        "",
        *_table("normal films", GROUP_COLUMNS, rows),
    ]
