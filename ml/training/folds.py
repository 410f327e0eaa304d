"""Training films as networks that had not learned from them read them, on a served one's scale.

Each run of the ablation's folds left out a third of the training patients and read their films
afterwards. Such a network is another one, and weaker for its small budget: its films with and
without a finding are moved apart by as much as the served network keeps them better apart, and its
logits are brought to the served network's scale by matching quantiles on val, which both have read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ml.training.data import CACHE, Film
from ml.training.targets import published_truth
from ml.vocabulary import ABNORMAL, CLASSIFIER_LABELS

FOLDS = ("base", "fold_1", "fold_2")  # runs of the ablation that leave out one third each
BELIEVED = 0.6  # share of the folds' weakness that is made good: val is small, and weights chose it


def kept_logits(name: str, *, folder: Path | None = None) -> dict[str, np.ndarray]:
    """Film → logits [L], as an ablation run of this name gave them; empty where it left none."""
    path = (folder or CACHE) / "ablation" / f"{name}.npz"
    if not path.exists():
        return {}
    stored = np.load(path)
    return dict(zip(stored["films"].tolist(), stored["logits"], strict=True))


def match_quantiles(values: np.ndarray, *, theirs: np.ndarray, ours: np.ndarray) -> np.ndarray:
    """Move values from the scale of one set of logits to that of another of the same films.

    values: [N]; theirs, ours: [M], the same films by the two networks
    returns: [N]; beyond the ends, shifted as the end is
    """
    marks = np.linspace(0.01, 0.99, 50)
    low, high = np.quantile(theirs, marks), np.quantile(ours, marks)
    moved = np.interp(values, low, high)
    moved = np.where(values < low[0], values - low[0] + high[0], moved)
    return np.where(values > low[-1], values - low[-1] + high[-1], moved)


@dataclass(frozen=True)
class Fold:
    """What a fold's network said: logits of val [M, L], and of the films that it had left out."""

    on_val: np.ndarray
    left_out: np.ndarray
    films: Sequence[Film]

    @cached_property
    def truth(self) -> np.ndarray:
        """[N, L] of the films that it had left out."""
        return published_truth(self.films)


def read_folds(
    val: Sequence[Film],
    train: Sequence[Film],
    *,
    kept: Callable[[str], Mapping[str, np.ndarray]] = kept_logits,
) -> list[Fold]:
    """The folds that were run, read val, and left out any of these training films."""
    by_name = {film.name: film for film in train}
    folds = []
    for fold in FOLDS:
        given = kept(fold)
        names = [name for name in given if name in by_name]
        if names and all(film.name in given for film in val):
            folds.append(
                Fold(
                    np.stack([given[film.name] for film in val]),
                    np.stack([given[name] for name in names]),
                    [by_name[name] for name in names],
                )
            )
    return folds


def separation(logits: np.ndarray, truth: np.ndarray) -> float:
    """How far films with a finding lie above those without, in spreads of both.

    logits, truth: [N]; returns 0 where one class has fewer than two films
    """
    positive = np.asarray(truth, bool)
    if min(positive.sum(), (~positive).sum()) < 2:
        return 0.0
    above, below = logits[positive], logits[~positive]
    spread = np.sqrt((above.var() * above.size + below.var() * below.size) / logits.size)
    return float((above.mean() - below.mean()) / spread) if spread > 0 else 0.0


def strengths(ours: np.ndarray, truth: np.ndarray, folds: Sequence[Fold]) -> np.ndarray:
    """By how much each label's classes of the folds' networks are moved apart.

    ours, truth: [M, L] of val by the network that is fitted; findings share one factor, since few
    val films have any one of them
    returns: [L], 1 or more
    """
    own = np.array([separation(ours[:, k], truth[:, k]) for k in range(ours.shape[1])])
    theirs = np.mean(
        [[separation(f.left_out[:, k], f.truth[:, k]) for k in range(len(own))] for f in folds], 0
    )
    factors = np.ones(len(own))
    abnormal = np.arange(len(own)) == CLASSIFIER_LABELS.index(ABNORMAL)
    for columns in (~abnormal, abnormal):
        if (weak := theirs[columns].sum()) > 0:
            ratio = own[columns].sum() / weak
            factors[columns] = 1 + BELIEVED * max(0.0, ratio - 1)
    return factors


def move_apart(
    logits: np.ndarray, truth: np.ndarray, *, gap: float, share: float, by: float
) -> np.ndarray:
    """Widen the gap between the films with and without a finding; the mean stays.

    logits, truth: [N]; gap: between the classes' means; share: of films with it; by: 1 or more
    """
    return logits + (by - 1) * gap * (np.asarray(truth, float) - share)


def out_of_fold(
    logits: np.ndarray, val: Sequence[Film], folds: Sequence[Fold]
) -> tuple[np.ndarray, list[Film]]:
    """Logits of training films by networks that had not learned from them, on our scale.

    logits: [M, L] of the val films by the network that is fitted
    returns: [N, L] and the films; none where no folds were run
    """
    if not folds:
        return np.empty((0, logits.shape[1])), []
    truth = published_truth(val)
    by = strengths(logits, truth, folds)
    parts = [_on_our_scale(logits, truth, fold, by) for fold in folds]
    return np.concatenate(parts), [film for fold in folds for film in fold.films]


def _on_our_scale(ours: np.ndarray, truth: np.ndarray, fold: Fold, by: np.ndarray) -> np.ndarray:
    columns = []
    for k, strength in enumerate(by):
        with_it = fold.truth[:, k] > 0
        share, gap = float(with_it.mean()), 0.0
        if 0 < share < 1:
            gap = float(fold.left_out[with_it, k].mean() - fold.left_out[~with_it, k].mean())
        moved, theirs = (
            move_apart(values[:, k], has_it[:, k], gap=gap, share=share, by=strength)
            for values, has_it in ((fold.left_out, fold.truth), (fold.on_val, truth))
        )
        columns.append(match_quantiles(moved, theirs=theirs, ours=ours[:, k]))
    return np.stack(columns, 1)
