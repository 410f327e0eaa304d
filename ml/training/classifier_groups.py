"""Measures the classifier by age band, sex and view, and against labels of several radiologists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ml.training.adjudicated import ADJUDICATED
from ml.training.data import Film
from ml.training.groups import Cases, compare_groups, groups_of
from ml.training.metrics import bootstrap, mean_auc, roc_auc
from ml.vocabulary import NAMES

ROUNDS = 400


def _mean_13(truth: np.ndarray, score: np.ndarray) -> float:
    return mean_auc(truth[:, : len(NAMES)], score[:, : len(NAMES)])


def _cases(films: Sequence[Film]) -> Cases:
    """Films with their groups, NIH's official lists among them."""
    return Cases(
        [film.patient for film in films],
        [
            (*groups_of(film), *([f"official list {film.official}"] if film.official else []))
            for film in films
        ],
    )


def by_group(logits: np.ndarray, truth: np.ndarray, films: Sequence[Film]) -> dict[str, Any]:
    """Mean area of the 13 by view, sex, age band and official list, beside that of the rest.

    logits, truth: [N, L]
    """
    return compare_groups(
        lambda rows: _mean_13(truth[rows], logits[rows]), _cases(films), called="AUC"
    )


def _any_of(probabilities: np.ndarray, ours: Sequence[str]) -> np.ndarray:
    """Probability of any of several findings; [N, L] to [N]."""
    columns = [NAMES.index(name) for name in ours]
    return np.asarray(1 - np.prod(1 - probabilities[:, columns], axis=1))


def by_radiologists_and_group(
    probabilities: np.ndarray, films: Sequence[Film], adjudicated: Mapping[str, Mapping[str, bool]]
) -> dict[str, Any]:
    """Mean area of the adjudicated findings in every group of the films that have such labels."""
    rows = [row for row, film in enumerate(films) if film.name in adjudicated]
    if not rows:
        return {}
    chosen = [films[row] for row in rows]
    score = np.stack([_any_of(probabilities[rows], ours) for ours in ADJUDICATED.values()], 1)
    truth = np.array([[adjudicated[film.name][name] for name in ADJUDICATED] for film in chosen])
    return compare_groups(
        lambda drawn: mean_auc(truth[drawn], score[drawn]), _cases(chosen), called="AUC"
    )


def by_radiologists(
    probabilities: np.ndarray, films: Sequence[Film], adjudicated: Mapping[str, Mapping[str, bool]]
) -> dict[str, Any]:
    """Areas on films that several radiologists labelled, beside those by the mined labels.

    probabilities: [N, L] calibrated; several findings of ours are joined as the probability of any
    """
    rows = np.array([film.name in adjudicated for film in films], bool)
    if not rows.any():
        return {}
    chosen = [film for film, inside in zip(films, rows, strict=True) if inside]
    patients = [film.patient for film in chosen]
    figures: dict[str, Any] = {"films": len(chosen)}
    for finding, ours in ADJUDICATED.items():
        score = _any_of(probabilities[rows], ours)
        truths = {
            "by radiologists": np.array([adjudicated[film.name][finding] for film in chosen]),
            "by mined labels": np.array([bool(film.labels & set(ours)) for film in chosen]),
        }
        figures[finding] = {
            "films with it, by radiologists": int(truths["by radiologists"].sum()),
            **{
                name: bootstrap(roc_auc, truth, score, groups=patients, rounds=ROUNDS).rounded()
                for name, truth in truths.items()
            },
        }
    return figures
