"""Fits what turns the classifier's logits into words: calibration, operating points, curves.

The films are those of val, and, where networks of the ablation's folds have read the films that
each of them had not learned from, these out-of-fold films too. A fold's network is another network:
its logits are brought to the scale of the exported one by matching quantiles on val, which both
have read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml.bundle import Calibration, OperatingPoint
from ml.classify import calibrate
from ml.training.data import CACHE, Film
from ml.training.operating_points import fit_platt, fit_points, points_on
from ml.vocabulary import ABNORMAL, CLASSIFIER_LABELS

Points = dict[str, dict[str, OperatingPoint]]
FOLDS = ("base", "fold_1", "fold_2")  # runs of the ablation that leave out one third each
CURVE = 40  # thresholds of a curve

# films with each label among NIH's 112,120 (Data_Entry_2017); abnormal: all but No Finding
NIH_FILMS = 112_120
NIH_COUNTS = {
    "Atelectasis": 11_559,
    "Cardiomegaly": 2_776,
    "Effusion": 13_317,
    "Infiltration": 19_894,
    "Mass": 5_782,
    "Nodule": 6_331,
    "Pneumonia": 1_431,
    "Pneumothorax": 5_302,
    "Consolidation": 4_667,
    "Edema": 2_303,
    "Emphysema": 2_516,
    "Fibrosis": 1_686,
    "Pleural_Thickening": 3_385,
    "Hernia": 227,
    ABNORMAL: NIH_FILMS - 60_361,
}
PREVALENCE_OF = "NIH ChestX-ray14, all 112,120 films"


def stated_prevalence() -> dict[str, float]:
    """Share of each label in NIH's whole collection, from which alerts in 100 films follow."""
    return {label: round(NIH_COUNTS[label] / NIH_FILMS, 5) for label in CLASSIFIER_LABELS}


def published_truth(films: Sequence[Film]) -> np.ndarray:
    """Labels as published; abnormal where there is any.

    returns: [N, len(CLASSIFIER_LABELS)] float32 of 0 and 1
    """
    truth = np.zeros((len(films), len(CLASSIFIER_LABELS)), np.float32)
    for row, film in enumerate(films):
        for column, label in enumerate(CLASSIFIER_LABELS):
            truth[row, column] = label in film.labels
        truth[row, CLASSIFIER_LABELS.index(ABNORMAL)] = bool(film.labels)
    return truth


@dataclass(frozen=True)
class Sample:
    """Films to fit on: logits and truth [N, L], and how many of them are out of fold."""

    logits: np.ndarray
    truth: np.ndarray
    out_of_fold: int = 0


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


def out_of_fold(
    logits: np.ndarray,
    val: Sequence[Film],
    train: Sequence[Film],
    *,
    kept: Callable[[str], Mapping[str, np.ndarray]] = kept_logits,
) -> tuple[np.ndarray, list[Film]]:
    """Logits of training films by networks that had not learned from them, on our scale.

    logits: [M, L] of the val films by the network that is fitted
    returns: [N, L] and the films; none where the folds were not run
    """
    by_name = {film.name: film for film in train}
    names = [film.name for film in val]
    parts, films = [np.empty((0, logits.shape[1]))], []
    for fold in FOLDS:
        given = kept(fold)
        left_out = [name for name in given if name in by_name]
        if not left_out or any(name not in given for name in names):
            continue
        theirs = np.stack([given[name] for name in names])
        stacked = np.stack([given[name] for name in left_out])
        columns = [
            match_quantiles(stacked[:, k], theirs=theirs[:, k], ours=logits[:, k])
            for k in range(logits.shape[1])
        ]
        parts.append(np.stack(columns, 1))
        films += [by_name[name] for name in left_out]
    return np.concatenate(parts), films


def fitting_sample(logits: np.ndarray, val: Sequence[Film], train: Sequence[Film]) -> Sample:
    """The val films, and the out-of-fold films where there are any."""
    more, films = out_of_fold(logits, val, train)
    return Sample(
        np.concatenate([logits, more]),
        published_truth([*val, *films]),
        out_of_fold=len(films),
    )


def fit_calibration(sample: Sample) -> dict[str, Calibration]:
    """Platt scaling per label."""
    return {
        label: fit_platt(sample.logits[:, column], sample.truth[:, column])
        for column, label in enumerate(CLASSIFIER_LABELS)
    }


def fit_all_points(sample: Sample, calibration: Mapping[str, Calibration]) -> Points:
    """Operating points per label."""
    return {
        label: fit_points(sample.logits[:, column], sample.truth[:, column], calibration[label])
        for column, label in enumerate(CLASSIFIER_LABELS)
    }


def describe(sample: Sample, calibration: Mapping[str, Calibration], points: Points) -> dict:
    """What sites need to choose thresholds of their own and to notice a drift.

    returns: curves (label → [threshold, sensitivity, specificity] by rising threshold), reference
    (label → deciles of the probability), alert_share (label → share of films above the alert), all
    on the films of the fit; prevalence_of and fitted_on in words
    """
    said: dict[str, Any] = {"curves": {}, "reference": {}, "alert_share": {}}
    for column, label in enumerate(CLASSIFIER_LABELS):
        logits, truth = sample.logits[:, column], sample.truth[:, column]
        given = np.array([calibrate(float(logit), calibration[label]) for logit in logits])
        said["curves"][label] = points_on(given, truth, count=CURVE)
        deciles = np.quantile(given, np.linspace(0, 1, 11))
        said["reference"][label] = [round(float(value), 5) for value in deciles]
        above = given >= points[label]["alert"].threshold
        said["alert_share"][label] = round(float(above.mean()), 4)
    said["prevalence_of"] = PREVALENCE_OF
    said["fitted_on"] = {
        "val": len(sample.logits) - sample.out_of_fold,
        "out of fold": sample.out_of_fold,
    }
    return said
