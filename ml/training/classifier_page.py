"""Writes the classifier's part of docs/models.md from its stored figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ml.bundle import Bundle, OperatingPoint
from ml.classify import alerts_in_100, true_in_100
from ml.training.groups_table import comparison_lines
from ml.training.papers import figures_of
from ml.vocabulary import NAMES

POINTS = ("sensitive", "youden", "alert", "specific")
SECTIONS = {
    "abnormal": "The answer abnormal",
    "AUC by labels of several radiologists": "Against labels of several radiologists",
    "attention on boxes of test": "Attention maps on the boxes of test films",
}


def _interval(value: Mapping[str, float]) -> str:
    return f"{value['value']:.3f} ({value['low']:.3f}–{value['high']:.3f})"


def _areas(metrics: Mapping[str, Any], bundle: Bundle) -> list[str]:
    areas, errors = metrics["AUC on test"], metrics["calibration error on test"]
    share = bundle.spec.prevalence
    mean_error = sum(errors[name] for name in NAMES) / len(NAMES)
    lines = [
        "| finding | AUC on test | calibration error | films of 100 with it, stated |",
        "|---|---|---|---|",
        f"| **mean of 13** | **{_interval(areas['mean of 13'])}** | {mean_error:.3f} | |",
        f"| any finding | {_interval(areas['any finding'])} | {errors['abnormal']:.3f} | "
        f"{100 * share['abnormal']:.1f} |",
    ]
    lines += [
        f"| {name} | {_interval(areas[name])} | {errors[name]:.3f} | {100 * share[name]:.1f} |"
        for name in NAMES
    ]
    return lines


def _points(metrics: Mapping[str, Any], bundle: Bundle) -> list[str]:
    """Each point with what it does on test, and what that means at the stated prevalence."""
    measured = metrics["operating points on test"]
    lines = [
        "| finding | point | threshold | sensitivity and specificity where fitted | on test | "
        "alerts in 100 films | of 100 alerts, true |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in (*NAMES, "abnormal"):
        for kind in (kind for kind in POINTS if kind in measured[name]):
            point, test = bundle.spec.operating_points[name][kind], measured[name][kind]
            lines.append(
                f"| {name} | {kind} | {point.threshold:.3f} | "
                f"{_pair(point.sensitivity, point.specificity)} | "
                f"{_pair(test['sensitivity'], test['specificity'])} | "
                f"{_worth(point, bundle.spec.prevalence[name])} |"
            )
    return lines


def _pair(sensitivity: float | None, specificity: float | None) -> str:
    if sensitivity is None or specificity is None:
        return "not measured"
    return f"{sensitivity:.2f} and {specificity:.2f}"


def _worth(point: OperatingPoint, prevalence: float) -> str:
    alerts, true = alerts_in_100(point, prevalence), true_in_100(point, prevalence)
    return " | ".join("" if value is None else f"{value:.0f}" for value in (alerts, true))


def classifier_lines(bundle: Bundle) -> list[str]:
    """Tables of areas, operating points and the further figures."""
    metrics = json.loads((bundle.folder / "metrics.json").read_text())
    lines = [*_areas(metrics, bundle), "", "#### Operating points", "", *_points(metrics, bundle)]
    for key, title in SECTIONS.items():
        if metrics.get(key):
            rows = [f"| {name} | {value} |" for name, value in figures_of(metrics[key])]
            lines += ["", f"#### {title}", "", "| figure | value |", "|---|---|", *rows]
    return [*lines, *comparison_lines(metrics)]
