"""Writes the figures of docs/models.md from the metrics that lie beside the graphs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ml.bundle import REQUIRED, Bundle, Release
from ml.training.ablation_table import table
from ml.training.attempts_table import attempt_lines
from ml.training.children_table import children_lines
from ml.training.classifier_page import classifier_lines
from ml.training.goals import goal_table
from ml.training.groups import BY_GROUP
from ml.training.groups_table import comparison_lines, summary_lines
from ml.training.papers import figures_of
from ml.training.robustness_table import robustness_lines
from ml.training.speed_table import speed_lines
from ml.training.stage_tables import gate_lines, normal_lines
from ml.training.yardstick_table import yardstick_lines

PAGE = Path("docs/models.md")
CURVES = (
    "",
    "The classifier's curves on the test films, written by `python -m ml evaluate`:",
    "[receiver operating](img/roc.svg), [precision and recall](img/precision-recall.svg), "
    "[reliability](img/reliability.svg).",
)
BEGIN, END = "<!-- figures: written by `python -m ml export release` -->", "<!-- end of figures -->"


def metrics_of(bundle: Bundle) -> dict[str, Any]:
    """The stored figures of a bundle."""
    said: dict[str, Any] = json.loads((bundle.folder / "metrics.json").read_text())
    return said


def _members_table(release: Release) -> list[str]:
    lines = ["| network | version | input | size of the graph | card |", "|---|---|---|---|---|"]
    for member, bundle in release.bundles.items():
        spec = bundle.spec
        megabytes = bundle.graph.stat().st_size / 1e6
        card = f"../ml/weights/{member}/{spec.version}/CARD.md"
        lines.append(
            f"| {member} | {spec.version} | {spec.input.size} px | {megabytes:.1f} MB | "
            f"[card]({card}) |"
        )
    return lines


def _other_table(bundle: Bundle) -> list[str]:
    metrics = {name: v for name, v in metrics_of(bundle).items() if not name.endswith(BY_GROUP)}
    rows = [row for row in figures_of(metrics) if "–" in row[1] and "(" in row[1]]
    return ["| figure | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]


def make_figures(release: Release) -> str:
    """The part of docs/models.md between the marks."""
    lines = [BEGIN, "", f"Release {release.name}, made on {release.created}.", ""]
    lines += _members_table(release)
    lines += ["", "### what was aimed at", "", *goal_table(release), *CURVES]
    stored = {name: metrics_of(bundle) for name, bundle in release.bundles.items()}
    lines += ["", "### by age, sex, view and other groups", "", *summary_lines(stored)]
    lines += ["", "### classifier", "", *classifier_lines(release.bundles["classifier"])]
    for member in (*REQUIRED, "paediatric"):
        if member != "classifier" and member in release.bundles:
            bundle = release.bundles[member]
            lines += ["", f"### {member}", "", *_other_table(bundle)]
            figures = metrics_of(bundle)
            lines += [*gate_lines(figures), *normal_lines(figures), *comparison_lines(figures)]
    lines += ["", "### what single changes of the training are worth", "", *table()]
    for title, part in (
        ("time and size", speed_lines()),
        ("attempts at the goals that were missed", attempt_lines()),
        ("altered films", robustness_lines()),
        ("the yardstick beside the anomaly networks", yardstick_lines()),
        ("readers of children's films side by side", children_lines()),
    ):
        if part:
            lines += ["", f"### {title}", "", *part]
    return "\n".join([*lines, "", END])


def update_page(release: Release, *, page: Path = PAGE) -> None:
    """Rewrite the figures of the page, and nothing else in it."""
    text = page.read_text()
    before, rest = text.split(BEGIN)
    page.write_text(before + make_figures(release) + rest.split(END)[1])
