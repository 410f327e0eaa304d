"""Fits calibration and operating points from logits and labels of validation films.

Validation sets have few films of a rare finding, so thresholds are not read off single films: the
logits of films with and without the finding are taken as two normal distributions (the binormal
model of ROC analysis), and the points are where that model puts them.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from ml.bundle import Calibration, OperatingPoint
from ml.classify import calibrate

SLOPE_SPREAD = 0.5  # how far the slope may stray from 1 without many films that say so


def fit_platt(logits: np.ndarray, truth: np.ndarray, *, rounds: int = 50) -> Calibration:
    """Fit slope and intercept by penalised maximum likelihood (Newton's method).

    logits: [N]; truth: [N] 0/1
    source: Platt, Probabilistic Outputs for Support Vector Machines, 1999
    """
    design = np.stack([logits, np.ones_like(logits)], 1).astype(np.float64)  # [N, 2]
    precision = np.diag([1 / SLOPE_SPREAD**2, 1e-6])
    centre = np.array([1.0, 0.0])
    weights = centre.copy()
    for _ in range(rounds):
        probability = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (probability - truth) + precision @ (weights - centre)
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design + precision
        step = np.linalg.solve(curvature, gradient)
        weights -= np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-9:
            break
    return Calibration(slope=float(weights[0]), intercept=float(weights[1]))


def measure_point(threshold: float, probability: np.ndarray, truth: np.ndarray) -> OperatingPoint:
    """Count what a threshold does on films; None where there are none to count on."""
    positive = np.asarray(truth, dtype=bool)
    above = probability >= threshold
    return OperatingPoint(
        threshold=round(float(threshold), 6),
        sensitivity=round(float(above[positive].mean()), 4) if positive.any() else None,
        specificity=round(float((~above[~positive]).mean()), 4) if (~positive).any() else None,
    )


def points_on(probability: np.ndarray, truth: np.ndarray, *, count: int) -> list[list[float]]:
    """What thresholds do on films, from one below all films to one above.

    probability: [N]; truth: [N] 0/1
    returns: at most `count` rows of threshold, sensitivity, specificity, by rising threshold; none
    where one class has no film
    """
    positive = np.asarray(truth, dtype=bool)
    if positive.all() or not positive.any():
        return []
    # half of the thresholds lie among the films with the finding, which are few
    marks = np.linspace(0, 1, count // 2)
    chosen = np.concatenate(
        [np.quantile(probability[positive], marks), np.quantile(probability[~positive], marks)]
    )
    rows = []
    for threshold in sorted({round(float(value), 5) for value in chosen}):
        above = probability >= threshold
        seen, passed = above[positive].mean(), (~above[~positive]).mean()
        rows.append([threshold, round(float(seen), 4), round(float(passed), 4)])
    return rows


def _crossing(low: tuple[float, float], high: tuple[float, float]) -> float:
    """Where the densities of two normal distributions (mean, spread) meet between their means."""
    (mean0, spread0), (mean1, spread1) = low, high
    if mean1 <= mean0:
        return max(mean0, mean1)
    a = 1 / spread0**2 - 1 / spread1**2
    b = 2 * (mean1 / spread1**2 - mean0 / spread0**2)
    c = mean0**2 / spread0**2 - mean1**2 / spread1**2 + 2 * math.log(spread0 / spread1)
    roots = [-c / b] if abs(a) < 1e-9 else list(np.real(np.roots([a, b, c])))
    middle = (mean0 + mean1) / 2
    return float(min(roots, key=lambda root: abs(root - middle)))


def fit_points(
    logits: np.ndarray,
    truth: np.ndarray,
    calibration: Calibration,
    *,
    least_specificity: float | None = None,
) -> dict[str, OperatingPoint]:
    """Choose the operating points of one label, as calibrated probabilities.

    logits: [N]; truth: [N] 0/1; where one class has no film, every point is a probability of 0.5
    least_specificity: of the alert, 0..1
    returns: sensitive (90 % sensitivity), youden (where sensitivity + specificity is greatest),
    alert (youden, or the point of the least specificity where that is higher), specific (95 %
    specificity), each with what it does on these films
    """
    positive = np.asarray(truth, dtype=bool)
    probability = np.array([calibrate(float(logit), calibration) for logit in logits])
    if positive.all() or not positive.any():
        point = measure_point(0.5, probability, truth)
        return dict.fromkeys(("sensitive", "youden", "alert", "specific"), point)
    without, with_it = logits[~positive], logits[positive]
    spread0 = float(without.std()) + 1e-6
    # the spread of few films is drawn towards that of the many
    share = with_it.size / (with_it.size + 10)
    spread1 = share * float(with_it.std()) + (1 - share) * spread0 + 1e-6
    mean0, mean1 = float(without.mean()), float(with_it.mean())
    youden = _crossing((mean0, spread0), (mean1, spread1))
    quiet = -math.inf
    if least_specificity is not None:
        quiet = mean0 + NormalDist().inv_cdf(least_specificity) * spread0
    marks = {
        "sensitive": mean1 - NormalDist().inv_cdf(0.90) * spread1,
        "youden": youden,
        "alert": max(youden, quiet),
        "specific": mean0 + NormalDist().inv_cdf(0.95) * spread0,
    }
    return {
        name: measure_point(calibrate(logit, calibration), probability, truth)
        for name, logit in marks.items()
    }
