"""Every figure that was aimed at, beside its goal and what others published: one table.

Reads the stored figures alone, so that the table costs nothing and can be checked by a test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ml.bundle import Bundle, Release
from ml.vocabulary import NAMES

HEAD = "| network | figure | measured | goal | reached | known elsewhere |"

Figure = Mapping[str, float] | float | None


@dataclass(frozen=True)
class Goal:
    """One figure that was aimed at.

    path: keys into the network's figures, or a function of all of them; None where it is not there
    at_least, at_most: the goal; neither where a figure stands for comparison alone
    """

    network: str
    figure: str
    path: Sequence[str] | Callable[[Mapping[str, Any]], Figure]
    at_least: float | None = None
    at_most: float | None = None
    known: str = ""

    def find(self, metrics: Mapping[str, Any]) -> Figure:
        """The measured figure."""
        if callable(self.path):
            return self.path(metrics)
        found: Any = metrics
        for key in self.path:
            if not isinstance(found, Mapping) or key not in found:
                return None
            found = found[key]
        figure: Figure = found
        return figure


def lowest_disease(metrics: Mapping[str, Any]) -> Figure:
    """The smallest of the 13 areas."""
    areas = metrics.get("AUC on test", {})
    named = [areas[name] for name in NAMES if name in areas]
    return min(named, key=lambda area: float(area["value"])) if named else None


def mean_calibration_error(metrics: Mapping[str, Any]) -> Figure:
    """Mean of the 13 expected calibration errors."""
    errors = metrics.get("calibration error on test", {})
    named = [float(errors[name]) for name in NAMES if name in errors]
    return sum(named) / len(named) if named else None


def least_refused_kind(metrics: Mapping[str, Any]) -> Figure:
    """The unfit kind that the gate refuses least; corrected ones are not unfit any more."""
    shares = [
        part["refused"]
        for kind, part in metrics.get("unfit", {}).items()
        if kind not in ("turned", "inverted")
    ]
    return min(shares, key=lambda share: float(share["value"])) if shares else None


def most_refused_good(metrics: Mapping[str, Any]) -> Figure:
    """The collection of good films, `external` apart, of which the gate refuses most."""
    shares = [
        part["refused"] for name, part in metrics.get("good", {}).items() if name != "external"
    ]
    return max(shares, key=lambda share: float(share["value"])) if shares else None


def pointing_gain(metrics: Mapping[str, Any]) -> Figure:
    """How much more often than by chance a map's highest point lies in a box."""
    pointing = metrics.get("pointing_at_nih_boxes")
    if not pointing:
        return None
    chance = float(pointing["chance"])
    return {key: float(pointing[key]) - chance for key in ("value", "low", "high")}


ABNORMAL = "abnormal"
OPACITY = "RSNA's opacity against normal, 448-px films"
ALARMS = "false alarms on films that radiologists read as normal"
ALARMS_SHARP = f"{ALARMS}, 448 px"

GOALS: tuple[Goal, ...] = (
    Goal("classifier", "mean AUC of 13", ("AUC on test", "mean of 13"), at_least=0.80,
         known="CheXNet's reproductions 0.80–0.82 with 30 times the films"),
    Goal("classifier", "lowest AUC of the 13", lowest_disease, at_least=0.65),
    Goal("classifier", "mean calibration error of 13", mean_calibration_error, at_most=0.05,
         known="DenseNets 0.117 before calibration, 0.011 after"),
    Goal("classifier", "abnormal, AUC against No Finding",
         (ABNORMAL, "any label against No Finding", "AUC"), at_least=0.82,
         known="seven public networks together 0.789"),
    Goal("classifier", "abnormal, AUC opacity against normal", (ABNORMAL, OPACITY, "AUC"),
         at_least=0.96, known="an hour's trial 0.955"),
    Goal("classifier", "films of 100 normal ones with an alert of a finding, 448 px",
         (ABNORMAL, ALARMS_SHARP, "films of 100 with an alert of any finding")),
    Goal("classifier", "films of 100 normal ones with an alert of a finding, 224 px",
         (ABNORMAL, ALARMS, "films of 100 with an alert of any finding")),
    Goal("detector", "findings hit, IoU > 0.1", ("boxed_test", "hit_0.1"), at_least=0.80,
         known="best without box labels 0.81; chance 0.29"),
    Goal("detector", "findings hit, IoU > 0.3", ("boxed_test", "hit_0.3"), at_least=0.55,
         known="best without box labels 0.59; chance 0.10"),
    Goal("detector", "findings hit, IoU > 0.5", ("boxed_test", "hit_0.5"), at_least=0.32,
         known="best without box labels 0.32; chance 0.03"),
    Goal("detector", "mAP at IoU 0.5", ("boxed_test", "map_50"), at_least=0.25,
         known="YOLOv8 on these boxes 0.08–0.2"),
    Goal("detector", "false boxes per normal film, 448 px",
         ("normal_films_448px", "boxes_per_film"), at_most=0.2),
    Goal("detector", "false boxes per normal film, 224 px",
         ("normals_224px", "boxes_per_film"), at_most=0.2),
    Goal("anatomy", "Dice of the lungs", ("anatomy_test", "dice_lungs"), at_least=0.97,
         known="JSRT 0.985"),
    Goal("anatomy", "Dice of the heart", ("anatomy_test", "dice_heart"), at_least=0.94),
    Goal("anatomy", "plausible outlines on NIH's test films", ("nih_test", "plausible"),
         at_least=1.0),
    Goal("anatomy", "AUC of the ratio for Cardiomegaly", ("nih_test", "ratio_auc_cardiomegaly")),
    Goal("reversed_ae", "AUC Guangzhou", ("test", "guangzhou"), at_least=0.80),
    Goal("reversed_ae", "AUC opacity against normal, 448 px",
         ("test", "opacity_v_normal_448px"), at_least=0.72,
         known="best reconstruction 0.753, best of all 0.832"),
    Goal("reversed_ae", "AUC NIH's mined labels", ("test", "nih_mined_labels"), at_least=0.62),
    Goal("reversed_ae", "pointing into NIH's boxes beyond chance", pointing_gain, at_least=0.0),
    Goal("unet", "AUC Guangzhou", ("test", "guangzhou")),
    Goal("unet", "AUC opacity against normal, 448 px", ("test", "opacity_v_normal_448px")),
    Goal("unet", "AUC NIH's mined labels", ("test", "nih_mined_labels")),
    Goal("paediatric", "accuracy", ("test", "accuracy"), at_least=0.95,
         known="0.885 by a comparable service, 0.930 the best credible"),
    Goal("paediatric", "AUC", ("test", "AUC"), at_least=0.985, known="best credible 0.978"),
    Goal("paediatric", "accuracy, patient numbers not in train",
         ("test, patient numbers not in train", "accuracy")),
    Goal("gate", "unfit pictures refused", ("unfit_refused",), at_least=0.97),
    Goal("gate", "kind refused least", least_refused_kind, at_least=0.90),
    Goal("gate", "good films refused, worst collection", most_refused_good, at_most=0.01),
    Goal("gate", "films of another hospital refused", ("good", "external", "refused"),
         at_most=0.01),
)  # fmt: skip


def show(figure: Figure) -> str:
    """A figure with its interval where it has one."""
    if figure is None:
        return "not measured"
    if isinstance(figure, Mapping):
        return f"{figure['value']:.3f} ({figure['low']:.3f}–{figure['high']:.3f})"
    return f"{figure:.3g}"


def verdict(goal: Goal, figure: Figure) -> str:
    """Whether a goal is reached: with the whole interval, by the figure alone, or not."""
    if figure is None or (goal.at_least is None and goal.at_most is None):
        return "–"
    if not isinstance(figure, Mapping):
        figure = dict.fromkeys(("value", "low", "high"), float(figure))
    if goal.at_least is not None:
        reached, surely = figure["value"] >= goal.at_least, figure["low"] >= goal.at_least
    else:
        most = goal.at_most or 0.0
        reached, surely = figure["value"] <= most, figure["high"] <= most
    if surely:
        return "yes"
    return "yes, the interval reaches beyond" if reached else "no"


def aimed(goal: Goal) -> str:
    """The goal in signs."""
    if goal.at_least is not None:
        return (
            "above chance"
            if callable(goal.path) and not goal.at_least
            else (f"≥ {goal.at_least:g}")
        )
    return f"≤ {goal.at_most:g}" if goal.at_most is not None else "–"


def stored_figures(bundle: Bundle) -> dict[str, Any]:
    """The figures that lie beside a graph."""
    figures: dict[str, Any] = json.loads((bundle.folder / "metrics.json").read_text())
    return figures


def goal_lines(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The table; figures: network → its figures; goals of other networks are left out."""
    lines = [HEAD, "|---|---|---|---|---|---|"]
    for goal in GOALS:
        if goal.network in figures:
            figure = goal.find(figures[goal.network])
            lines.append(
                f"| {goal.network} | {goal.figure} | {show(figure)} | {aimed(goal)} | "
                f"{verdict(goal, figure)} | {goal.known} |"
            )
    return lines


def goal_table(release: Release) -> list[str]:
    """The table of a release, by its stored figures."""
    return goal_lines({name: stored_figures(b) for name, b in release.bundles.items()})
