"""Turns the classifier's logits into calibrated probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml.bundle import Calibration, OperatingPoint


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
