"""Exports and measures the reader of children's films.

Calibration and threshold are fitted on val, which holds patients of the official train folder; the
official test folder is measured whole, and again on the films whose patient number does not stand
in the train folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.bundle import CHILD_LABEL, WEIGHTS, Bundle, Calibration, OperatingPoint
from ml.classify import calibrate
from ml.runtime import Graph, to_input
from ml.training.data import SHARED
from ml.training.export import Contract, Evidence, write_bundle
from ml.training.members import (
    GUANGZHOU,
    HOURS,
    grey_input,
    keep_checkpoint,
    load_average,
    load_draft,
    round_weights,
)
from ml.training.metrics import bootstrap, calibration_error, roc_auc
from ml.training.operating_points import fit_platt, fit_points
from ml.training.paediatric import (
    Child,
    PaediatricGraph,
    PaediatricNetwork,
    load_pixels_of,
    read_children,
)
from ml.training.proportions import clopper_pearson

OUTPUTS = ("logits", "maps")
AGES = (1, 6)  # years; the published films are of children of one to five
LICENCE = "AGPL-3.0-only; started from ImageNet weights (Apache-2.0)"
PURPOSE = (
    "Gives the probability that a child's frontal film shows a pneumonia, with a map of what each "
    "place of the film adds. Asked for beside the other networks, never instead of them."
)
TRAINING = (
    f"The official train folder of {GUANGZHOU}: films of children of one to five years of one "
    "hospital, split by patient number. 170 patient numbers stand in the official train and test "
    "folders; most likely the numbering starts again in each, which can't be proved."
)
LIMITS = (
    "One hospital, children of one to five years; newborns, older children and films of other "
    "hospitals were not measured.",
    "Three of four films in this collection show a pneumonia: where it is rarer, the probability "
    "is too high.",
    "The official test folder differs from the train folder in exposure and choice of films.",
)


def _logits(graph: Graph, films: Sequence[Child], config: dict[str, Any], note: str) -> np.ndarray:
    pixels = load_pixels_of(films, config, note=note)
    expected = grey_input(config["size"])
    rows = [graph.run(to_input(np.asarray(film), expected))[0][0, 0] for film in pixels]
    return np.array(rows, np.float64)


def measure(
    logits: np.ndarray, films: Sequence[Child], *, calibration: Calibration, threshold: float
) -> dict[str, Any]:
    """Figures of one set of films; intervals of shares are exact, of areas bootstrapped."""
    truth = np.array([film.pneumonia for film in films])
    given = np.array([calibrate(float(logit), calibration) for logit in logits])
    above = given >= threshold
    patients = [film.patient for film in films]
    figures: dict[str, Any] = {
        "films": len(films),
        "AUC": bootstrap(roc_auc, truth, logits, groups=patients).rounded(),
        "accuracy": clopper_pearson(int((above == truth).sum()), len(films)),
        "specificity": clopper_pearson(int((~above[~truth]).sum()), int((~truth).sum())),
        "sensitivity": clopper_pearson(int(above[truth].sum()), int(truth.sum())),
        "calibration error": round(calibration_error(truth, given), 4),
    }
    for kind in ("bacteria", "virus"):
        rows = np.array([film.kind == kind for film in films])
        if rows.any():
            figures[f"sensitivity for {kind}"] = clopper_pearson(
                int(above[rows].sum()), int(rows.sum())
            )
    return figures


def unseen_numbers(films: Sequence[Child]) -> list[bool]:
    """Which test films have a patient number that stands in no film of the train folder."""
    known = {film.patient for film in films if film.split != "test"}
    return [film.patient not in known for film in films if film.split == "test"]


def _fit(logits: np.ndarray, films: Sequence[Child]) -> tuple[Calibration, dict[str, Any]]:
    truth = np.array([film.pneumonia for film in films], np.float32)
    calibration = fit_platt(logits, truth)
    points: dict[str, OperatingPoint] = fit_points(logits, truth, calibration)
    return calibration, {CHILD_LABEL: points}


def export(
    config: dict[str, Any], version: str, *, root: Path = SHARED, weights: Path = WEIGHTS
) -> Bundle:
    """Export what the last training left, calibrated on val and measured on the test folder."""
    network = PaediatricNetwork()
    hours = load_average(network, config["name"])
    keep_checkpoint("paediatric", version, {"state": network.state_dict()})
    round_weights(network)
    graph = PaediatricGraph(network).eval()
    films = read_children(root)
    parts = {name: [f for f in films if f.split == name] for name in ("val", "test")}
    bare = Contract(grey_input(config["size"]), config["preprocessing"], (), OUTPUTS, {})
    draft = load_draft("paediatric", graph, bare)
    logits = {name: _logits(draft, part, config, name) for name, part in parts.items()}
    calibration, points = _fit(logits["val"], parts["val"])
    metrics = _metrics(logits, films, calibration, points[CHILD_LABEL]["alert"].threshold)
    contract = Contract(
        input=bare.input,
        preprocessing=bare.preprocessing,
        labels=(CHILD_LABEL,),
        outputs=OUTPUTS,
        operating_points=points,
        calibration={CHILD_LABEL: calibration},
        prevalence={CHILD_LABEL: round(float(np.mean([f.pneumonia for f in parts["val"]])), 4)},
        settings={"ages": list(AGES)},
    )
    evidence = Evidence(PURPOSE, f"{TRAINING} {HOURS}", LICENCE, {**hours, **metrics}, LIMITS)
    return write_bundle(
        "paediatric", version, graph, contract=contract, evidence=evidence, weights=weights
    )


def _metrics(
    logits: dict[str, np.ndarray], films: Sequence[Child], calibration: Calibration, alert: float
) -> dict[str, Any]:
    figures = {}
    for name in ("val", "test"):
        part = [film for film in films if film.split == name]
        figures[name] = measure(logits[name], part, calibration=calibration, threshold=alert)
    unseen = np.array(unseen_numbers(films))
    test = [film for film in films if film.split == "test"]
    figures["test, patient numbers not in train"] = measure(
        logits["test"][unseen],
        [film for film, new in zip(test, unseen, strict=True) if new],
        calibration=calibration,
        threshold=alert,
    )
    return figures
