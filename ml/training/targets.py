"""What the classifier is taught of every film: labels, readings, soft labels, and side questions.

Side questions (age, sex, view) are asked in training only; the network never takes them as inputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ml.training.data import Film
from ml.vocabulary import ABNORMAL, CLASSIFIER_LABELS

SIDE_QUESTIONS = ("age", "male", "anteroposterior")


def truth_of(films: Sequence[Film]) -> np.ndarray:
    """Labels as they were published, and abnormal by radiologists where they read the film.

    returns: [N, len(CLASSIFIER_LABELS)] float32 of 0 and 1
    """
    truth = np.zeros((len(films), len(CLASSIFIER_LABELS)), np.float32)
    for row, film in enumerate(films):
        for label in film.labels:
            if label in CLASSIFIER_LABELS:
                truth[row, CLASSIFIER_LABELS.index(label)] = 1
        abnormal = bool(film.labels) if not film.reading else film.reading != "normal"
        truth[row, CLASSIFIER_LABELS.index(ABNORMAL)] = abnormal
    return truth


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


def targets_of(
    films: Sequence[Film],
    soft: dict[str, dict[str, float]],
    *,
    soft_share: float,
    normal_share: float,
    smoothing: float = 0.0,
) -> np.ndarray:
    """What the network learns: labels, mixed with soft labels and with radiologists' readings.

    soft_share: weight of the soft label where a film has one
    normal_share: weight of mined labels where radiologists read the film as normal
    smoothing: how far mined labels are drawn towards one half

    returns: [N, len(CLASSIFIER_LABELS)] float32 in 0..1
    """
    targets = truth_of(films) * (1 - smoothing) + smoothing / 2
    for row, film in enumerate(films):
        if film.reading == "normal":
            targets[row] *= normal_share
        for name, probability in soft.get(film.name, {}).items():
            column = CLASSIFIER_LABELS.index(name)
            targets[row, column] += soft_share * (probability - targets[row, column])
    return targets


def side_answers(films: Sequence[Film]) -> np.ndarray:
    """Age in hundreds of years, is the patient male, was the film taken from the front.

    returns: [N, len(SIDE_QUESTIONS)] float32, nan where it is not known
    """
    answers = np.full((len(films), len(SIDE_QUESTIONS)), math.nan, np.float32)
    for row, film in enumerate(films):
        if film.age is not None:
            answers[row, 0] = min(film.age / 100, 1.0)
        if film.sex in ("M", "F"):
            answers[row, 1] = film.sex == "M"
        if film.view in ("AP", "PA"):
            answers[row, 2] = film.view == "AP"
    return answers
