"""Fits the classifier's calibration and operating points to a site's own labelled films.

The network has learned from none of these films, so all of them are fitted on; what the fit is
worth is measured by fitting on one half of the patients and counting on the other. A finding that
too few films have, or too few have not, keeps what it had.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ml.bundle import WEIGHTS, Bundle, load_bundle
from ml.classify import calibrate
from ml.training.classifier_fit import (
    Points,
    Sample,
    describe,
    fit_all_points,
    fit_calibration,
)
from ml.training.classifier_report import evidence_of, logits_of
from ml.training.data import Film, LayoutError, read_layout, split_into_folds
from ml.training.metrics import bootstrap, calibration_error, roc_auc
from ml.training.operating_points import measure_point
from ml.training.papers import contract_of, rewrite
from ml.training.targets import published_truth
from ml.vocabulary import CLASSIFIER_LABELS

FEWEST = 10  # films with a finding, and without it, for a fit of its own


def fitted_labels(truth: np.ndarray) -> list[str]:
    """Labels that enough films have, and enough have not."""
    counts = truth.sum(0)
    return [
        label
        for column, label in enumerate(CLASSIFIER_LABELS)
        if min(counts[column], len(truth) - counts[column]) >= FEWEST
    ]


def _halves(films: Sequence[Film]) -> list[np.ndarray]:
    """Which films are fitted on, for each of two halves of the patients."""
    names = [{f.name for f in split_into_folds(films, index=k, of=2)[0]} for k in range(2)]
    return [np.array([film.name in half for film in films]) for half in names]


def measure_fit(
    logits: np.ndarray, truth: np.ndarray, films: Sequence[Film], labels: Sequence[str]
) -> dict[str, Any]:
    """Area, and calibration error and alert across two halves of the patients, per label."""
    given, above = np.zeros_like(logits), np.zeros(logits.shape, bool)
    for half in _halves(films):
        if not half.any() or half.all():
            continue
        sample = Sample(logits[half], truth[half])
        calibration = fit_calibration(sample)
        points = fit_all_points(sample, calibration)
        for column, label in enumerate(CLASSIFIER_LABELS):
            other = [calibrate(float(v), calibration[label]) for v in logits[~half, column]]
            given[~half, column] = other
            above[~half, column] = np.array(other) >= points[label]["alert"].threshold
    patients = [film.patient for film in films]
    figures = {}
    for label in labels:
        column = CLASSIFIER_LABELS.index(label)
        counted = measure_point(0.5, above[:, column].astype(float), truth[:, column])
        area = bootstrap(roc_auc, truth[:, column], logits[:, column], groups=patients).rounded()
        figures[label] = {
            "films with it": int(truth[:, column].sum()),
            "AUC": area,
            "calibration error": round(calibration_error(truth[:, column], given[:, column]), 4),
            "sensitivity at the alert": counted.sensitivity,
            "specificity at the alert": counted.specificity,
        }
    return figures


def calibrate_on_site(version: str, new: str, *, data: Path, weights: Path = WEIGHTS) -> Path:
    """Copy a version with calibration and operating points fitted to a site's labelled films.

    data: a folder in any layout that can be read; all of its whole films are taken
    returns: the new version's folder
    raises: LayoutError where no finding has enough films
    """
    bundle = load_bundle(weights, "classifier", version)
    films = [film for film in read_layout(data) if film.source == "films"]
    truth = published_truth(films)
    labels = fitted_labels(truth)
    if not labels:
        raise LayoutError(
            f"{data}: no finding stands on {FEWEST} films and is absent from {FEWEST} others"
        )
    logits = logits_of(bundle, films)
    sample = Sample(logits, truth)
    calibration = _joined(bundle.spec.calibration, fit_calibration(sample), labels)
    fitted = fit_all_points(sample, calibration)
    points: Points = _joined(bundle.spec.operating_points, fitted, labels)
    contract = replace(
        contract_of(bundle),
        calibration=calibration,
        operating_points=points,
        prevalence=_joined(bundle.spec.prevalence, _shares(truth), labels),
        settings={
            **bundle.spec.settings,
            **describe(sample, calibration, points),
            "prevalence_of": "the site's own films, where a finding was fitted",
            "fitted_on": {"the site's films": len(films)},
        },
    )
    figures = {
        "films": len(films),
        "findings that keep what they had": sorted(set(CLASSIFIER_LABELS) - set(labels)),
        "across two halves of the patients": measure_fit(logits, truth, films, labels),
    }
    metrics = {**_metrics_of(bundle), "fitted to a site's own films": figures}
    return rewrite(bundle, new, contract, evidence_of(metrics))


def _shares(truth: np.ndarray) -> dict[str, float]:
    return {k: round(float(v), 5) for k, v in zip(CLASSIFIER_LABELS, truth.mean(0), strict=True)}


def _joined(
    old: Mapping[str, Any], new: Mapping[str, Any], labels: Sequence[str]
) -> dict[str, Any]:
    return {label: new[label] if label in labels else old[label] for label in old}


def _metrics_of(bundle: Bundle) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads((bundle.folder / "metrics.json").read_text())
    return stored
