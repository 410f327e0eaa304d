"""Figures of merit, each with a bootstrap interval over patients or films."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np

Statistic = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % bootstrap interval; nan where it has no meaning."""

    value: float
    low: float
    high: float

    def rounded(self, digits: int = 4) -> dict[str, float]:
        """The three figures for a JSON file."""
        return {name: round(value, digits) for name, value in asdict(self).items()}


def roc_auc(truth: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve by ranks, ties counted half.

    truth: [N] bool or 0/1; score: [N] real
    returns: 0..1, nan where only one class is present
    """
    truth = np.asarray(truth, dtype=bool)
    positives = int(truth.sum())
    negatives = truth.size - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2  # ranks from 1, ties share their mean
    rank_sum = mean_rank[inverse][truth].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * negatives))


def mean_auc(truth: np.ndarray, score: np.ndarray) -> float:
    """Mean ROC AUC over the columns in which both classes are present.

    truth: [N, L] bool or 0/1; score: [N, L] real
    """
    areas = [roc_auc(truth[:, column], score[:, column]) for column in range(truth.shape[1])]
    return float(np.nanmean(areas))


def calibration_error(truth: np.ndarray, probability: np.ndarray, *, bins: int = 10) -> float:
    """Expected calibration error over bins that hold equally many films.

    truth: [N] 0/1; probability: [N] in 0..1
    returns: mean |observed share − mean probability|, weighted by films
    """
    order = np.argsort(probability, kind="stable")
    error = 0.0
    for part in np.array_split(order, bins):
        if part.size:
            gap = abs(float(np.mean(truth[part])) - float(np.mean(probability[part])))
            error += gap * part.size / order.size
    return error


def bootstrap(
    statistic: Statistic,
    truth: np.ndarray,
    score: np.ndarray,
    *,
    groups: Sequence[str] | None = None,
    rounds: int = 500,
    seed: int = 0,
) -> Interval:
    """Give a statistic with its 95 % percentile interval.

    truth, score: arrays with the films along the first axis
    groups: patient of every film; patients are drawn, not films, where it is given
    """
    rng = np.random.default_rng(seed)
    names = np.asarray(groups if groups is not None else np.arange(len(truth)))
    _, member_of = np.unique(names, return_inverse=True)
    order = np.argsort(member_of, kind="stable")
    starts = np.searchsorted(member_of[order], np.arange(member_of.max() + 2))
    members = [order[a:b] for a, b in pairwise(starts)]
    draws = []
    for _ in range(rounds):
        drawn = rng.integers(0, len(members), len(members))
        rows = np.concatenate([members[index] for index in drawn])
        draws.append(statistic(truth[rows], score[rows]))
    value = statistic(truth, score)
    if not np.isfinite(draws).any():
        return Interval(value, float("nan"), float("nan"))
    low, high = np.nanpercentile(draws, (2.5, 97.5))
    return Interval(value, float(low), float(high))
