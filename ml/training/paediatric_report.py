"""Exports and measures the reader of children's films.

Calibration and threshold are fitted on val, which holds patients of the official train folder, each
film as it is and once more with the shape of the other class (child_changes.py); the official test
folder is measured whole, and again on the films whose patient number does not stand
in the train folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.bundle import CHILD_LABEL, WEIGHTS, Bundle, Calibration, OperatingPoint
from ml.classify import calibrate
from ml.runtime import Graph, to_input
from ml.training.child_networks import ChildNetwork, PaediatricGraph, build_reader
from ml.training.data import SHARED
from ml.training.export import Contract, Evidence, write_bundle
from ml.training.groups import BY_GROUP, FEWEST_OF_A_MEAN, Cases, compare_groups, verdict
from ml.training.loop import load_config
from ml.training.members import (
    GUANGZHOU,
    HOURS,
    NIH,
    RSNA,
    grey_input,
    keep_checkpoint,
    load_draft,
    load_last_part,
)
from ml.training.metrics import bootstrap, calibration_error, roc_auc
from ml.training.operating_points import fit_platt, fit_points
from ml.training.paediatric import Child, load_pixels_of, read_children, swap_shapes_of
from ml.training.proportions import clopper_pearson
from ml.training.storing import round_weights

OUTPUTS = ("logits", "maps")
SWAPPED = "val, shapes of the classes swapped"
AGES = (1, 6)  # years; the published films are of children of one to five
LICENCE = "AGPL-3.0-only; started from ImageNet weights (Apache-2.0)"
PURPOSE = (
    "Gives the probability that a child's frontal film shows a pneumonia, with a map of what each "
    "place of the film adds. Asked for beside the other networks, never instead of them."
)
TRAINING = (
    f"The official train folder of {GUANGZHOU}: films of children of one to five years of one "
    "hospital, split by patient number. 170 patient numbers stand in the official train and test "
    "folders; most likely the numbering starts again in each, which can't be proved. From its "
    f"second part on, a fifth of the films drawn are adults' of {NIH}, normal or opacity by {RSNA}."
)
LIMITS = (
    "One hospital, children of one to five years; newborns, older children and films of other "
    "hospitals were not measured.",
    "Three of four films in this collection show a pneumonia: where it is rarer, the probability "
    "is too high.",
    "The official test folder differs from the train folder in exposure and choice of films.",
    "The collection does not say age, sex or view film by film, so nothing is known of whether it "
    "reads girls, infants or films in AP worse. By group stands what the collection does say: the "
    "germ, and whether a film kept its shape or was squashed to a square before it reached us "
    "(films of bacteria mostly were).",
)


def _logits(graph: Graph, pixels: np.ndarray, config: dict[str, Any]) -> np.ndarray:
    expected = grey_input(config["size"])
    rows = [graph.run(to_input(np.asarray(film), expected))[0][0, 0] for film in pixels]
    return np.array(rows, np.float64)


def logits_of(
    network: ChildNetwork, films: Sequence[Child], config: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Logits of the graph as it is served; see run_graph."""
    bare = Contract(grey_input(config["size"]), config["preprocessing"], (), OUTPUTS, {})
    return run_graph(load_draft("paediatric", PaediatricGraph(network).eval(), bare), films, config)


def run_graph(
    graph: Graph, films: Sequence[Child], config: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Logits of a graph on val, on val with shapes swapped, and on test.

    config: size and preprocessing of its input
    """
    parts = {name: [f for f in films if f.split == name] for name in ("val", "test")}
    pixels = {name: load_pixels_of(part, config, note=name) for name, part in parts.items()}
    pixels[SWAPPED] = swap_shapes_of(pixels["val"], parts["val"])
    return {name: _logits(graph, stack, config) for name, stack in pixels.items()}


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


def fit_reader(
    logits: dict[str, np.ndarray], films: Sequence[Child]
) -> tuple[Calibration, dict[str, OperatingPoint]]:
    """Calibrate on the films of val, each as it is and with the other class's shape.

    In the official train folder the shape of a film tells its class; elsewhere it does not.
    """
    truth = np.array([film.pneumonia for film in films if film.split == "val"] * 2, np.float32)
    both = np.concatenate([logits["val"], logits[SWAPPED]])
    calibration = fit_platt(both, truth)
    return calibration, fit_points(both, truth, calibration)


def measure_reader(
    logits: dict[str, np.ndarray], films: Sequence[Child], calibration: Calibration, alert: float
) -> dict[str, Any]:
    """Figures on val, on val with shapes swapped, on test, and on its numbers not in train."""
    test = [film for film in films if film.split == "test"]
    unseen = np.array(unseen_numbers(films))
    parts = {
        "val": (logits["val"], [film for film in films if film.split == "val"]),
        SWAPPED: (logits[SWAPPED], [film for film in films if film.split == "val"]),
        "test": (logits["test"], test),
        "test, patient numbers not in train": (
            logits["test"][unseen],
            [film for film, new in zip(test, unseen, strict=True) if new],
        ),
    }
    return {
        name: measure(found, part, calibration=calibration, threshold=alert)
        for name, (found, part) in parts.items()
    } | compare_kinds(logits["test"], test, calibration, alert)


def compare_kinds(
    logits: np.ndarray, films: Sequence[Child], calibration: Calibration, alert: float
) -> dict[str, Any]:
    """What the threshold does to groups of the test folder, by what is known of its films."""
    truth = np.array([film.pneumonia for film in films])
    right = truth == [calibrate(float(logit), calibration) >= alert for logit in logits]

    def compare(rows: list[int], called: str) -> dict[str, Any]:
        own = right[rows]
        return compare_groups(
            lambda drawn: float(own[drawn].mean()),
            Cases([films[i].patient for i in rows], [known_of(films[i]) for i in rows]),
            called=called,
            share=True,
            fewest=FEWEST_OF_A_MEAN,
        )

    return {
        f"{name} on the official test folder{BY_GROUP}": compare(
            [i for i, film in enumerate(films) if film.pneumonia == wanted], name
        )
        for name, wanted in (("sensitivity", True), ("specificity", False))
    }


def known_of(film: Child) -> tuple[str, ...]:
    """The groups of a film: how its shape reached us, and the germ of a pneumonia."""
    cause = (f"caused by {film.kind}",) if film.pneumonia else ()
    shape = (f"shape {film.aspect.replace('_', ' ')}",) if film.aspect else ()
    return cause + shape


def evidence_of(metrics: Mapping[str, Any]) -> Evidence:
    """What the card says, with these figures."""
    limits = [*LIMITS, verdict(metrics)]
    return Evidence(PURPOSE, f"{TRAINING} {HOURS}", LICENCE, metrics, limits)


def export(
    config: dict[str, Any], version: str, *, root: Path = SHARED, weights: Path = WEIGHTS
) -> Bundle:
    """Export what the last training left, calibrated on val and measured on the test folder."""
    config = load_config(config["ends"]) if "ends" in config else config
    architecture = config.get("architecture", "")
    network = build_reader(architecture)
    hours = load_last_part(network, config)
    state = {"state": network.state_dict(), "architecture": architecture}
    keep_checkpoint("paediatric", version, state)
    round_weights(network)
    films = read_children(root)
    logits = logits_of(network, films, config)
    calibration, points = fit_reader(logits, films)
    metrics = measure_reader(logits, films, calibration, points["alert"].threshold)
    ill = [film.pneumonia for film in films if film.split == "val"]
    contract = Contract(
        input=grey_input(config["size"]),
        preprocessing=config["preprocessing"],
        labels=(CHILD_LABEL,),
        outputs=OUTPUTS,
        operating_points={CHILD_LABEL: points},
        calibration={CHILD_LABEL: calibration},
        prevalence={CHILD_LABEL: round(float(np.mean(ill)), 4)},
        settings={"ages": list(AGES)},
    )
    evidence = evidence_of({**hours, **metrics})
    graph = PaediatricGraph(network).eval()
    return write_bundle(
        "paediatric", version, graph, contract=contract, evidence=evidence, weights=weights
    )
