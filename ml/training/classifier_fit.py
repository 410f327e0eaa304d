"""Fits what turns the classifier's logits into words: calibration, operating points, curves.

The films are those of val and, where the folds of the ablation were run, training films out of fold
(ml/training/folds.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.bundle import Calibration, OperatingPoint
from ml.classify import calibrate
from ml.training.data import Film
from ml.training.folds import out_of_fold, read_folds
from ml.training.operating_points import fit_platt, fit_points, points_on
from ml.training.targets import published_truth
from ml.vocabulary import ABNORMAL, CLASSIFIER_LABELS, NAMES

Points = dict[str, dict[str, OperatingPoint]]
CURVE = 40  # thresholds of a curve
# of a finding's alert; with 13 findings, lower ones mark nearly every film
LEAST_SPECIFICITY = 0.85

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


@dataclass(frozen=True)
class Sample:
    """Films to fit on: logits and truth [N, L], and how many of them are out of fold."""

    logits: np.ndarray
    truth: np.ndarray
    out_of_fold: int = 0


def fitting_sample(logits: np.ndarray, val: Sequence[Film], train: Sequence[Film]) -> Sample:
    """The val films, and the out-of-fold films where there are any."""
    more, films = out_of_fold(logits, val, read_folds(val, train))
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
        label: fit_points(
            sample.logits[:, column],
            sample.truth[:, column],
            calibration[label],
            least_specificity=LEAST_SPECIFICITY if label in NAMES else None,
        )
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
