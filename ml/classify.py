"""Gives the classifier its views of a film, and turns its logits into calibrated probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml.bundle import Calibration, OperatingPoint, Spec
from ml.imaging.lungs import cut_lungs

WHOLE, LUNGS = "whole", "lungs"
LUNGS_FROM_PX = 448  # side of the film that the lungs view is cut from


def views_of(spec: Spec) -> dict[str, int]:
    """View of a film → its side, in the order of the channels of the network's input."""
    return dict(spec.settings.get("views", {WHOLE: spec.input.size}))


def film_views(
    spec: Spec, whole: Callable[[int], np.ndarray], lungs: np.ndarray | None
) -> np.ndarray:
    """Stack the views of a film that the network was trained on.

    whole: gives the whole film [side, side] uint8 for a side
    lungs: [M, M] bool over the whole film; needed where the lungs are one of the views
    returns: [V, S, S] uint8; a view that is smaller than S lies in the upper left corner
    raises: ValueError where the lungs are needed and not given
    """
    views = views_of(spec)
    stack = np.zeros((len(views), spec.input.size, spec.input.size), np.uint8)
    for channel, (view, side) in enumerate(views.items()):
        if view == WHOLE:
            stack[channel, :side, :side] = whole(side)
        elif lungs is None:
            raise ValueError(f"{spec.name} reads the lungs, and no outline of them was given")
        else:
            stack[channel, :side, :side] = cut_lungs(whole(LUNGS_FROM_PX), lungs, size=side)
    return stack


@dataclass(frozen=True)
class Top:
    """One of the most probable diseases."""

    disease: str
    probability: float


def calibrate(logit: float, by: Calibration) -> float:
    """Platt scaling; returns a probability that is strictly between 0 and 1."""
    scaled = by.slope * logit + by.intercept
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, scaled))))


def probabilities(
    logits: np.ndarray, *, labels: Sequence[str], calibration: Mapping[str, Calibration]
) -> dict[str, float]:
    """Give every label its calibrated probability.

    logits: [L] float32 in the order of labels
    raises: ValueError where a logit is not finite
    """
    if not np.isfinite(logits).all():
        raise ValueError("the classifier gave a logit that is not finite")
    return {
        label: calibrate(float(logit), calibration[label])
        for label, logit in zip(labels, logits, strict=True)
    }


def top_findings(findings: Mapping[str, float], count: int = 3) -> list[Top]:
    """The most probable diseases, best first; equal ones in the order of findings."""
    best = sorted(findings.items(), key=lambda item: -item[1])[:count]
    return [Top(disease, probability) for disease, probability in best]


def alerts_in_100(point: OperatingPoint, prevalence: float) -> float | None:
    """How many of 100 films lie above an operating point; None where it was not measured.

    prevalence: share of films with the disease, 0..1
    """
    if point.sensitivity is None or point.specificity is None:
        return None
    return 100 * (point.sensitivity * prevalence + (1 - point.specificity) * (1 - prevalence))


def true_in_100(point: OperatingPoint, prevalence: float) -> float | None:
    """Of 100 films above an operating point, how many have the disease (Bayes' rule).

    prevalence: share of films with the disease, 0..1
    returns: None where the point was not measured, or no film lies above it
    """
    alerts = alerts_in_100(point, prevalence)
    if not alerts or point.sensitivity is None:
        return None
    return 100 * 100 * point.sensitivity * prevalence / alerts
