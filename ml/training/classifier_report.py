"""Measures the classifier: figures with intervals, by group, calibration, operating points.

Works on logits of whichever engine; needs no torch. Everything is chosen on val and on films out of
fold; test is for the figures only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ml.bundle import (
    WEIGHTS,
    Bundle,
    Calibration,
    OperatingPoint,
    load_bundle,
)
from ml.classify import calibrate
from ml.imaging.preprocess import resize_area
from ml.runtime import load_graph, to_input
from ml.training.abnormal_report import Scored, measure_abnormal
from ml.training.adjudicated import read_adjudicated
from ml.training.attention_report import measure_attention
from ml.training.classifier_fit import (
    Points,
    describe,
    fit_all_points,
    fit_calibration,
    fitting_sample,
    stated_prevalence,
)
from ml.training.classifier_groups import (
    by_group,
    by_radiologists,
    by_radiologists_and_group,
)
from ml.training.data import Film, load_pixels, read_layout
from ml.training.groups import verdict
from ml.training.metrics import bootstrap, calibration_error, mean_auc, roc_auc
from ml.training.operating_points import measure_point
from ml.training.papers import Contract, Evidence, contract_of, rewrite
from ml.training.progress import track
from ml.training.targets import published_truth
from ml.training.views import Views, cache_views
from ml.vocabulary import ABNORMAL, CLASSIFIER_LABELS, NAMES

ROUNDS = 500
DRAWN = "films drawn in training"
NORMALS_PX = 224  # side of the films in the list of normals
LICENCE = "AGPL-3.0-only; started from ImageNet weights (Apache-2.0)"
PURPOSE = (
    "Gives a probability for each of 13 diseases, for hernia, and for the film being abnormal, "
    "with a map of what each place of the film adds."
)
TRAINING_DATA = (
    "A part of NIH ChestX-ray14 (NIH Clinical Center; Wang et al., CVPR 2017), split by patient: "
    "3,300 whole films, 4,532 films reduced to the lung fields (the whole film's member saw them "
    "early in its schedule only), and 6,228 films that RSNA's radiologists read as normal (Shih et "
    "al., Radiology AI 2019; faded out of the whole film's member's schedule). "
    "Labels were mined from reports and are about 90 % right. 3,206 of the films also have soft "
    "labels by three public DenseNet-121, whose own training films are a random share of NIH's "
    "patients: this network has indirectly heard of some test patients."
)
LIMITS = (
    "Trained and measured on films of one institution, of adults mostly; weaker elsewhere.",
    "Small lesions (nodule, mass, pleural thickening) and fine lines are the weak ones.",
    "Labels on which it is measured were mined from reports: a part of its errors are theirs.",
    "Films of the list of normals are told from other normal films even after both pass through "
    "224 px (the figure is in the table): how they were stored still shows. Figures in which both "
    "lists take part are too good; the one on 448-px films alone is not.",
    "Half of the answer comes from the lungs as they were outlined: where the outline is wrong, so "
    "is what is read. The map is that of the other half, the whole film.",
    "Calibrated at the prevalence of a collection rich in findings; where findings are rarer, "
    "probabilities are too high. What alerts are worth is computed at a stated prevalence instead.",
)


def evidence_of(metrics: Mapping[str, Any]) -> Evidence:
    """What the classifier's card says, with these figures."""
    limits = [*LIMITS, verdict(metrics)]
    return Evidence(PURPOSE, TRAINING_DATA, LICENCE, metrics, limits)


@dataclass(frozen=True)
class Readings:
    """Films by name of their list, and what the exported graph said of them.

    plain: val, test, normals (test films that radiologists read as normal)
    softened: val, test, val normals and test normals, all passed through 224 px
    """

    films: Mapping[str, Sequence[Film]]
    plain: Mapping[str, np.ndarray]
    softened: Mapping[str, Scored]


def films_of(data: Path, split: str, *, source: str = "films") -> list[Film]:
    """The films of one list and split."""
    return [film for film in read_layout(data) if (film.split, film.source) == (split, source)]


def logits_of(bundle: Bundle, films: Sequence[Film], *, backend: str = "openvino") -> np.ndarray:
    """Run the exported graph on film files; returns [N, L] float32."""
    spec = bundle.spec
    paths = [film.path for film in films]
    note = f"{films[0].split}-{films[0].source}"
    prepared = cache_views(paths, bundle, note=note)
    graph = load_graph(bundle, backend=backend)
    rows = [
        graph.run(to_input(np.asarray(film), spec.input))[0][0]
        for film in track(prepared, total=len(prepared), label=f"reading {note}")
    ]
    return np.stack(rows)


def softened_logits(bundle: Bundle, films: Sequence[Film]) -> np.ndarray:
    """Run the exported graph on films that pass through NORMALS_PX first; returns [N, L]."""
    views, graph = Views(bundle.spec, bundle.folder.parent.parent), load_graph(bundle)
    rows = []
    for film in track(films, total=len(films), label="reading softened films"):
        small = resize_area(load_pixels(film.path), width=NORMALS_PX, height=NORMALS_PX)
        rows.append(graph.run(to_input(views.of(small), bundle.spec.input))[0][0])
    return np.stack(rows)


def read_all(bundle: Bundle, data: Path) -> Readings:
    """Read every film that figures are made on, as it is and softened."""
    films = measured_films(data)
    lists = {
        "val": films.get("val", []),
        "test": films.get("test", []),
        "val normals": films_of(data, "val", source="normals"),
        "test normals": films.get("normals", []),
    }
    return Readings(
        films=films,
        plain={name: logits_of(bundle, part) for name, part in films.items()},
        softened={
            name: Scored(part, softened_logits(bundle, part))
            for name, part in lists.items()
            if part
        },
    )


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


def measure(
    readings: Readings,
    *,
    calibration: Mapping[str, Calibration],
    points: Points,
    adjudicated: Mapping[str, Mapping[str, bool]],
) -> dict[str, Any]:
    """All figures of metrics.json but those of the maps.

    adjudicated: film → finding → what several radiologists said
    """
    films, logits = readings.films, readings.plain
    test = films["test"]
    plain = {name: Scored(films[name], logits[name]) for name in ("val", "test")}
    softened = dict(readings.softened)
    if "val normals" not in softened:
        softened.pop("test normals", None)
    given = _probabilities(logits["test"], calibration)
    return {
        "films": {name: len(part) for name, part in films.items()},
        "AUC on test": _areas(logits["test"], test),
        "AUC on val": _areas(logits["val"], films["val"]),
        "mean AUC of 13 on test, by group": by_group(logits["test"], published_truth(test), test),
        "AUC by labels of several radiologists": by_radiologists(given, test, adjudicated),
        "mean AUC of 3 findings by several radiologists, by group": by_radiologists_and_group(
            given, test, adjudicated
        ),
        "abnormal": measure_abnormal(plain, softened, calibration=calibration, points=points),
        **_by_threshold(logits["test"], test, calibration, points),
    }


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


def _counts(point: OperatingPoint) -> dict[str, float | None]:
    return {"sensitivity": point.sensitivity, "specificity": point.specificity}


def evaluate(version: str, *, data: Path, weights: Path = WEIGHTS) -> dict[str, Any]:
    """Measure an exported version again, with the calibration and points that it carries."""
    bundle = load_bundle(weights, "classifier", version)
    points = {label: dict(named) for label, named in bundle.spec.operating_points.items()}
    return {
        **measure(
            read_all(bundle, data),
            calibration=bundle.spec.calibration,
            points=points,
            adjudicated=read_adjudicated(data),
        ),
        "attention on boxes of test": measure_attention(bundle, data=data),
    }


def fit_and_measure(
    bundle: Bundle, contract: Contract, *, data: Path, weights: Path = WEIGHTS
) -> tuple[Contract, dict[str, Any]]:
    """Fit calibration and operating points of an exported graph, and measure it with them.

    contract: how the graph is fed; returned with labels, calibration, points and prevalence
    """
    readings = read_all(bundle, data)
    train = films_of(data, "train")
    sample = fitting_sample(readings.plain["val"], readings.films["val"], train)
    calibration = fit_calibration(sample)
    points = fit_all_points(sample, calibration)
    fitted = replace(
        contract,
        labels=CLASSIFIER_LABELS,
        calibration=calibration,
        operating_points=points,
        prevalence=stated_prevalence(),
        settings={**contract.settings, **describe(sample, calibration, points)},
    )
    metrics = measure(
        readings, calibration=calibration, points=points, adjudicated=read_adjudicated(data)
    )
    metrics["fitted on films"] = fitted.settings["fitted_on"]
    served = replace(bundle, spec=replace(bundle.spec, labels=CLASSIFIER_LABELS))
    metrics["attention on boxes of test"] = measure_attention(served, data=data)
    return fitted, metrics


def measured_films(data: Path) -> dict[str, list[Film]]:
    """The films that figures are made on; splits without films are left out."""
    films = {
        "val": films_of(data, "val"),
        "test": films_of(data, "test"),
        "normals": films_of(data, "test", source="normals"),
    }
    return {split: part for split, part in films.items() if part}


def recalibrate(version: str, new: str, *, data: Path, weights: Path = WEIGHTS) -> Path:
    """Copy a version with calibration and operating points fitted again.

    returns: the new version's folder
    """
    bundle = load_bundle(weights, "classifier", version)
    contract, metrics = fit_and_measure(bundle, contract_of(bundle), data=data, weights=weights)
    before = json.loads((bundle.folder / "metrics.json").read_text())
    drawn = {key: before[key] for key in (DRAWN,) if key in before}
    return rewrite(bundle, new, contract, evidence_of({**drawn, **metrics}))
