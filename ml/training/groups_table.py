"""Tables of docs/models.md on groups of films: each network's, and which groups are worse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml.training.groups import comparisons_in, verdict


def _interval(value: Mapping[str, float], form: str = "{:.3f}") -> str:
    middle, low, high = (form.format(value[key]) for key in ("value", "low", "high"))
    return f"{middle} ({low} to {high})"


def comparison_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Every comparison of a network; empty where nothing was compared."""
    compared = comparisons_in(metrics)
    if not compared:
        return []
    lines = [
        "",
        "#### By group",
        "",
        "| figure | group | films | in the group | in the rest | better than the rest by | "
        "worse by more than chance |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in compared:
        lines.append(
            f"| {one.figure} | {one.group} | {one.films} | {_interval(one.value)} | {one.rest:.3f} "
            f"| {_interval(one.better, '{:+.3f}')} | {'yes' if one.worse else ''} |"
        )
    return lines


def summary_lines(networks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Every network's verdict; networks: name → its stored figures."""
    told = {name: verdict(metrics) for name, metrics in networks.items()}
    count = sum(len(comparisons_in(metrics)) for metrics in networks.values())
    if not count:
        return []
    return [
        f"{count} comparisons in all, each with a 95 % interval over patients: by chance alone, "
        "one in 20 differs, half of these for the worse. Groups overlap, and differ in more than "
        "their name: films in AP are mostly of patients who could not stand.",
        "",
        *(f"- {name}: {said}" for name, said in told.items() if said),
    ]
