"""Measures the classifier: figures with intervals, by group, calibration, operating points.

Works on logits of whichever engine; needs no torch. Everything is chosen on val; test is for the
figures only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ml.bundle import WEIGHTS, Bundle, Calibration, OperatingPoint, load_bundle
from ml.classify import calibrate
from ml.runtime import load_graph, to_input
from ml.training.data import Film, cache_prepared, read_layout
from ml.training.metrics import bootstrap, calibration_error, mean_auc, roc_auc
from ml.training.operating_points import fit_platt, fit_points, measure_point
from ml.training.papers import Evidence, contract_of, rewrite
from ml.training.progress import track
from ml.vocabulary import ABNORMAL, CLASSIFIER_LABELS, NAMES

ROUNDS = 500
Points = dict[str, dict[str, OperatingPoint]]
LICENCE = "AGPL-3.0-only; started from ImageNet weights (Apache-2.0)"
PURPOSE = (
    "Gives a probability for each of 13 diseases, for hernia, and for the film being abnormal, "
    "with a map of what each place of the film adds."
)
TRAINING_DATA = (
    "A part of NIH ChestX-ray14 (NIH Clinical Center; Wang et al., CVPR 2017), split by patient: "
    "3,300 whole films, 6,228 films that RSNA's radiologists read as normal (Shih et al., "
    "Radiology AI 2019), and, early in the schedule only, 4,532 films reduced to the lung fields. "
    "Labels were mined from reports and are about 90 % right. 3,206 of the films also have soft "
    "labels by three public DenseNet-121, whose own training films are a random share of NIH's "
    "patients: this network has indirectly heard of some test patients."
)
LIMITS = (
    "Trained and measured on films of one institution, of adults mostly; weaker elsewhere.",
    "At 224 px small lesions (nodule, mass, pleural thickening) and fine lines are the weak ones.",
    "Labels on which it is measured were mined from reports: a part of its errors are theirs.",
    "Calibrated at the prevalence of a collection rich in findings; where findings are rarer, "
    "probabilities are too high.",
)


def evidence_of(metrics: Mapping[str, Any]) -> Evidence:
    """What the classifier's card says, with these figures."""
    return Evidence(PURPOSE, TRAINING_DATA, LICENCE, metrics, LIMITS)


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


def films_of(data: Path, split: str, *, source: str = "films") -> list[Film]:
    """The films of one list and split."""
    return [film for film in read_layout(data) if (film.split, film.source) == (split, source)]


def logits_of(bundle: Bundle, films: Sequence[Film], *, backend: str = "openvino") -> np.ndarray:
    """Run the exported graph on film files; returns [N, L] float32."""
    spec = bundle.spec
    paths = [film.path for film in films]
    note = f"{films[0].split}-{films[0].source}"
    prepared = cache_prepared(paths, size=spec.input.size, number=spec.preprocessing, note=note)
    graph = load_graph(bundle, backend=backend)
    rows = [
        graph.run(to_input(np.asarray(film), spec.input))[0][0]
        for film in track(prepared, total=len(prepared), label=f"reading {note}")
    ]
    return np.stack(rows)


def fit_calibration(logits: np.ndarray, films: Sequence[Film]) -> dict[str, Calibration]:
    """Platt scaling per label, on val."""
    truth = published_truth(films)
    return {
        label: fit_platt(logits[:, column], truth[:, column])
        for column, label in enumerate(CLASSIFIER_LABELS)
    }


def fit_all_points(
    logits: np.ndarray, films: Sequence[Film], calibration: Mapping[str, Calibration]
) -> Points:
    """Operating points per label, on val."""
    truth = published_truth(films)
    return {
        label: fit_points(logits[:, column], truth[:, column], calibration[label])
        for column, label in enumerate(CLASSIFIER_LABELS)
    }


def _mean_13(truth: np.ndarray, score: np.ndarray) -> float:
    return mean_auc(truth[:, : len(NAMES)], score[:, : len(NAMES)])


def _areas(logits: np.ndarray, films: Sequence[Film]) -> dict[str, Any]:
    """Mean and per-label areas under the ROC curve, with intervals over patients."""
    truth = published_truth(films)
    patients = [film.patient for film in films]
    areas: dict[str, Any] = {
        "mean of 13": bootstrap(_mean_13, truth, logits, groups=patients, rounds=ROUNDS).rounded()
    }
    for column, label in enumerate(CLASSIFIER_LABELS):
        if not 0 < truth[:, column].mean() < 1:
            continue  # a collection without the finding
        name = "any finding" if label == ABNORMAL else label
        areas[name] = bootstrap(
            roc_auc, truth[:, column], logits[:, column], groups=patients, rounds=ROUNDS
        ).rounded()
    return areas


def _age_band(age: float | None) -> str:
    if age is None:
        return "age unknown"
    return "under 40 years" if age < 40 else "40 to 59 years" if age < 60 else "60 years or more"


def _groups(logits: np.ndarray, films: Sequence[Film]) -> dict[str, Any]:
    """Mean area of the 13 by view, sex, age band and official list."""
    truth = published_truth(films)
    names = [
        (f"view {f.view}", f"sex {f.sex}", _age_band(f.age), f"official list {f.official}")
        for f in films
    ]
    figures = {}
    for name in sorted({name for row in names for name in row}):
        rows = np.array([name in row for row in names])
        if rows.sum() < 100:
            continue  # too few for 13 areas
        patients = [film.patient for film, inside in zip(films, rows, strict=True) if inside]
        figures[name] = {
            "films": int(rows.sum()),
            "AUC": bootstrap(
                _mean_13, truth[rows], logits[rows], groups=patients, rounds=ROUNDS
            ).rounded(),
        }
    return figures


def _probabilities(logits: np.ndarray, calibration: Mapping[str, Calibration]) -> np.ndarray:
    return np.array(
        [
            [
                calibrate(float(v), calibration[k])
                for v, k in zip(row, CLASSIFIER_LABELS, strict=True)
            ]
            for row in logits
        ]
    )


def _rsna(logits: np.ndarray, films: Sequence[Film]) -> dict[str, Any]:
    """Films that radiologists read as opacity against those that they read as normal."""
    rows = np.array([film.reading in ("opacity", "normal") for film in films])
    if not rows.any():
        return {}
    truth = np.array([film.reading == "opacity" for film in films])[rows]
    score = logits[rows, CLASSIFIER_LABELS.index(ABNORMAL)]
    return {"films": int(rows.sum()), "AUC": bootstrap(roc_auc, truth, score).rounded()}


def measure(
    logits: Mapping[str, np.ndarray],
    films: Mapping[str, Sequence[Film]],
    *,
    calibration: Mapping[str, Calibration],
    points: Points,
) -> dict[str, Any]:
    """All figures for metrics.json.

    logits, films: by split: val, test, and normals (test films that radiologists read as normal)
    """
    test = films["test"]
    figures: dict[str, Any] = {
        "films": {name: len(part) for name, part in films.items()},
        "AUC on test": _areas(logits["test"], test),
        "AUC on val": _areas(logits["val"], films["val"]),
        "mean AUC of 13 on test, by group": _groups(logits["test"], test),
        "abnormal, RSNA's opacity against normal on test": _rsna(logits["test"], test),
        **_by_threshold(logits["test"], test, calibration, points),
    }
    if "normals" in films:
        figures["films that radiologists read as normal"] = _false_alarms(
            _probabilities(logits["normals"], calibration), points
        )
    return figures


def _by_threshold(
    logits: np.ndarray,
    films: Sequence[Film],
    calibration: Mapping[str, Calibration],
    points: Points,
) -> dict[str, Any]:
    truth, probability = published_truth(films), _probabilities(logits, calibration)
    errors, counts = {}, {}
    for column, label in enumerate(CLASSIFIER_LABELS):
        has_it, given = truth[:, column], probability[:, column]
        errors[label] = round(calibration_error(has_it, given), 4)
        counts[label] = {
            name: _counts(measure_point(point.threshold, given, has_it))
            for name, point in points[label].items()
        }
    return {"calibration error on test": errors, "operating points on test": counts}


def _false_alarms(probability: np.ndarray, points: Points) -> dict[str, float]:
    alerts = np.array([points[name]["alert"].threshold for name in NAMES])
    above = (probability[:, : len(NAMES)] >= alerts).sum(1)
    return {
        "alerts per film": round(float(above.mean()), 3),
        "share of films with an alert": round(float((above > 0).mean()), 3),
    }


def _counts(point: OperatingPoint) -> dict[str, float | None]:
    return {"sensitivity": point.sensitivity, "specificity": point.specificity}


def evaluate(version: str, *, data: Path, weights: Path = WEIGHTS) -> dict[str, Any]:
    """Measure an exported version again, with the calibration and points that it carries."""
    bundle = load_bundle(weights, "classifier", version)
    films = measured_films(data)
    logits = {split: logits_of(bundle, part) for split, part in films.items()}
    points = {label: dict(named) for label, named in bundle.spec.operating_points.items()}
    return measure(logits, films, calibration=bundle.spec.calibration, points=points)


def measured_films(data: Path) -> dict[str, list[Film]]:
    """The films that figures are made on; splits without films are left out."""
    films = {
        "val": films_of(data, "val"),
        "test": films_of(data, "test"),
        "normals": films_of(data, "test", source="normals"),
    }
    return {split: part for split, part in films.items() if part}


def recalibrate(version: str, new: str, *, data: Path, weights: Path = WEIGHTS) -> Path:
    """Copy a version with calibration and operating points fitted again on val.

    returns: the new version's folder
    """
    bundle = load_bundle(weights, "classifier", version)
    films = measured_films(data)
    logits = {split: logits_of(bundle, part) for split, part in films.items()}
    calibration = fit_calibration(logits["val"], films["val"])
    points = fit_all_points(logits["val"], films["val"], calibration)
    metrics = measure(logits, films, calibration=calibration, points=points)
    contract = replace(contract_of(bundle), calibration=calibration, operating_points=points)
    return rewrite(bundle, new, contract, evidence_of(metrics))
