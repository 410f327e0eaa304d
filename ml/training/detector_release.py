"""Fits the detector's operating points on `val`, measures it on `test`, and exports it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ml.bundle import WEIGHTS, Bundle, OperatingPoint
from ml.detect import MIN_SCORE, overlap_with, select_candidates
from ml.runtime import Graph, to_input
from ml.training.boxes import KINDS, BoxedFilm, read_boxed_films, soften
from ml.training.data import SHARED
from ml.training.detector import LesionNetwork, prepare_films
from ml.training.detector_report import (
    OVERLAPS,
    Output,
    average_precision,
    best_overlaps,
    bootstrap_films,
    match_all,
    mean_precision,
    run_network,
    select,
)
from ml.training.export import Contract, Evidence, write_bundle
from ml.training.members import (
    HOURS,
    NIH,
    RSNA,
    grey_input,
    keep_checkpoint,
    load_average,
    load_draft,
    round_weights,
)
from ml.vocabulary import BOX_LABELS

FALSE_BOXES = 0.2  # per normal film, over the 8 labels
LOWEST_EXPONENT = 0.3


def is_normal(item: BoxedFilm) -> bool:
    """Read as normal by RSNA's radiologists, or unread and without a finding."""
    return item.film.reading == "normal" or not (item.film.reading or item.film.labels)


def fit_exponent(outputs: Sequence[Output]) -> float:
    """Find the exponent that lifts nearly every film's best score of each label above the floor."""
    best = np.stack([scores[:, : len(BOX_LABELS)].max(0) for _, scores in outputs])
    low = float(np.quantile(best, 0.003))
    return float(np.clip(math.log(1.1 * MIN_SCORE) / math.log(min(low, 0.5)), LOWEST_EXPONENT, 1))


def fit_thresholds(outputs: Sequence[Output]) -> dict[str, float]:
    """Give each label the threshold that an equal share of normal val films passes."""
    best = np.stack([scores[:, : len(BOX_LABELS)].max(0) for _, scores in outputs])
    share = 0.9 * FALSE_BOXES / len(BOX_LABELS)  # a film may carry two boxes of a label
    marks = np.quantile(best, 1 - share, axis=0)
    return {label: float(mark) for label, mark in zip(BOX_LABELS, marks, strict=True)}


def chance_hits(
    films: Sequence[BoxedFilm], train: Sequence[BoxedFilm], *, draws: int = 100
) -> dict[str, float]:
    """Hit rates of boxes drawn at random from the training boxes of the same label."""
    rng = np.random.default_rng(0)
    pools = {
        kind: np.concatenate([item.boxes[item.kinds == kind] for item in train])
        for kind in range(len(BOX_LABELS))
    }
    overlaps = []
    for item in films:
        for kind in sorted({int(k) for k in item.kinds if k < len(BOX_LABELS)}):
            truth = item.boxes[item.kinds == kind]
            drawn = pools[kind][rng.integers(0, len(pools[kind]), draws)]
            overlaps.append([float(overlap_with(box, truth).max()) for box in drawn])
    array = np.array(overlaps)
    return {f"hit_{level}": round(float((array > level).mean()), 4) for level in OVERLAPS}


def share_above(values: np.ndarray, level: float, rows: np.ndarray) -> float:
    """Share of the values in rows that pass a level."""
    return float((values[rows] > level).mean())


def measure_hits(films: Sequence[BoxedFilm], outputs: Sequence[Output]) -> dict[str, Any]:
    """Hit rates over all boxed findings, each with its interval over patients, and by label."""
    found = best_overlaps(films, outputs)
    overlap = np.array([iou for _, _, iou in found])
    patients = [films[index].film.patient for index, _, _ in found]
    names = np.array([label for _, label, _ in found])
    result: dict[str, Any] = {"boxed_findings": len(found)}
    for level in OVERLAPS:
        result[f"hit_{level}"] = bootstrap_films(partial(share_above, overlap, level), patients)
    for label in BOX_LABELS:
        own = overlap[names == label]
        result[label] = {
            "boxed": len(own),
            **{f"hit_{level}": round(float((own > level).mean()), 3) for level in OVERLAPS},
        }
    return result


def measure_precision(films: Sequence[BoxedFilm], outputs: Sequence[Output]) -> dict[str, Any]:
    """Mean average precision at IoU 0.5 with its interval over patients, and by label."""
    matches = match_all(films, [select(output) for output in outputs])
    patients = [item.film.patient for item in films]
    whole = bootstrap_films(lambda rows: mean_precision(matches, rows), patients)
    by_label = {label: round(average_precision(own), 4) for label, own in matches.items()}
    return {"map_50": whole, "average_precision": by_label}


def measure_shown(
    films: Sequence[BoxedFilm],
    outputs: Sequence[Output],
    thresholds: Mapping[str, float],
) -> dict[str, Any]:
    """How many boxes are drawn per film, and the share of boxed findings that one of them hits."""
    shown = [
        [x for x in select_candidates(*output, BOX_LABELS, thresholds=thresholds) if x.shown]
        for output in outputs
    ]
    counts = np.array([len(own) for own in shown], float)
    patients = [item.film.patient for item in films]
    result: dict[str, Any] = {
        "films": len(films),
        "boxes_per_film": bootstrap_films(lambda rows: float(counts[rows].mean()), patients),
    }
    hits = []
    for item, own in zip(films, shown, strict=True):
        for kind in sorted({int(k) for k in item.kinds if k < len(BOX_LABELS)}):
            truth = item.boxes[item.kinds == kind]
            boxes = [np.array(x.box) for x in own if x.label == KINDS[kind]]
            hits.append(max((float(overlap_with(b, truth).max()) for b in boxes), default=0.0))
    if hits:
        array = np.array(hits)
        result |= {f"shown_hit_{v}": round(float((array > v).mean()), 4) for v in OVERLAPS}
    return result


def measure(
    graph: Graph, root: Path, config: dict[str, Any], thresholds: Mapping[str, float]
) -> dict[str, Any]:
    """Everything on `test`; figures on normal films through 224 px and at 448 px apart."""
    size, number = config["size"], config["preprocessing"]
    test = read_boxed_films(root, split="test")
    train = [i for i in read_boxed_films(root, split="train") if len(i.boxes)]
    boxed = [item for item in test if (item.kinds < len(BOX_LABELS)).any()]
    pixels = prepare_films(boxed, size=size, number=number, note="boxed-test")
    outputs = run_graph(graph, pixels)
    softened = run_graph(graph, np.stack([soften(film) for film in pixels]))
    free = [item for item in test if not len(item.boxes) and is_normal(item)]
    figures: dict[str, Any] = {
        "boxed_test": {
            **measure_hits(boxed, outputs),
            **measure_precision(boxed, outputs),
            **measure_shown(boxed, outputs, thresholds),
        },
        "boxed_test_through_224px": {
            **measure_hits(boxed, softened),
            **measure_shown(boxed, softened, thresholds),
        },
        "chance": chance_hits(boxed, train),
    }
    for name, source in (("normals_224px", "normals"), ("normal_films_448px", "films")):
        own = [item for item in free if item.film.source == source]
        seen = run_graph(graph, prepare_films(own, size=size, number=number, note=name))
        figures[name] = measure_shown(own, seen, thresholds)
    return figures


def tell(metrics: Mapping[str, Any]) -> Evidence:
    """What the card says."""
    return Evidence(
        purpose="Boxes eight findings on a frontal film.",
        training_data=f"{NIH}: films with a radiologist's boxes, and films without a finding; "
        f"boxes of lung opacity and normal films from the {RSNA}. Started from YOLOv5n's COCO "
        "weights.",
        licence="AGPL-3.0 (YOLOv5)",
        metrics=metrics,
        limits=[
            "Few boxes: some labels have about 45 of them to learn from and 17 to be measured on.",
            "A score orders candidates of one label; it is not a probability.",
            "hit: the highest-scoring box of the right label overlaps the radiologist's by more "
            "than the figure; chance: a training box of that label laid on the film.",
            HOURS,
        ],
    )


def make_contract(
    config: dict[str, Any], network: LesionNetwork, thresholds: Mapping[str, float]
) -> Contract:
    """How the detector's graph is fed and understood."""
    return Contract(
        input=grey_input(config["size"]),
        preprocessing=config["preprocessing"],
        labels=BOX_LABELS,
        outputs=("boxes", "scores"),
        operating_points={
            label: {"alert": OperatingPoint(round(mark, 5))} for label, mark in thresholds.items()
        },
        settings={"kinds": list(KINDS), "exponent": network.exponent},
    )


def run_graph(graph: Graph, pixels: np.ndarray) -> list[Output]:
    """Run a graph on prepared films [N, S, S] uint8."""
    expected = grey_input(pixels.shape[-1])
    outputs = (graph.run(to_input(film, expected)) for film in pixels)
    return [(boxes[0], scores[0]) for boxes, scores in outputs]


def export(
    config: dict[str, Any], version: str, *, root: Path = SHARED, weights: Path = WEIGHTS
) -> Bundle:
    """Fit, measure and export the detector of a finished training."""
    size, number = config["size"], config["preprocessing"]
    network = LesionNetwork(size=size)
    trained = load_average(network, config["name"])
    round_weights(network)
    val = read_boxed_films(root, split="val")
    boxed = [item for item in val if len(item.boxes)]
    pixels = prepare_films(boxed, size=size, number=number, note="boxed-val")
    network.exponent = round(fit_exponent(run_network(network, pixels)), 3)
    undecided = dict.fromkeys(BOX_LABELS, 1.0)
    graph = load_draft("detector", network, make_contract(config, network, undecided))
    normal = [item for item in val if not len(item.boxes) and is_normal(item)]
    thresholds = fit_thresholds(
        run_graph(graph, prepare_films(normal, size=size, number=number, note="normal-val"))
    )
    metrics = {
        **measure(graph, root, config, thresholds),
        "thresholds": {label: round(mark, 4) for label, mark in thresholds.items()},
        **trained,
    }
    state = {"size": size, "exponent": network.exponent, "state": network.state_dict()}
    keep_checkpoint("detector", version, state)
    return write_bundle(
        "detector",
        version,
        network,
        contract=make_contract(config, network, thresholds),
        evidence=tell(metrics),
        weights=weights,
    )
