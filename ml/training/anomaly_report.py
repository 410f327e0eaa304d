"""Fits the anomaly score on normal films and measures it on `test`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml.anomaly import THROUGH_PX
from ml.bundle import WEIGHTS, Bundle
from ml.training.anomaly import PlainFilm, build, load_small, read_plain_films
from ml.training.anomaly_score import AnomalyGraph, fit_percentiles
from ml.training.autoencoders import ReversedAutoencoder
from ml.training.data import SHARED, Film, read_boxes, read_layout
from ml.training.export import Contract, Evidence, write_bundle
from ml.training.members import (
    GUANGZHOU,
    LICENCE,
    NIH,
    RSNA,
    grey_input,
    keep_checkpoint,
    load_average,
    read_checkpoint,
    round_weights,
)
from ml.training.metrics import Interval, bootstrap, roc_auc

PURPOSES = {
    "unet": "Says how unlike normal films a film is, by what a plain U-Net autoencoder misses.",
    "reversed_ae": "Says how unlike normal films a film is, by what a Reversed Autoencoder "
    "(Bercea et al., MIDL 2023) misses.",
}

# what the vector may hold; the best on `val` is taken
CANDIDATES: dict[str, list[tuple[str, ...]]] = {
    "unet": [("global",), ("grid",), ("grid", "global")],
    "reversed_ae": [
        ("global",),
        ("grid", "global"),
        ("embeddings",),
        ("code",),
        ("code", "embeddings"),
        ("grid", "global", "embeddings"),
        ("grid", "global", "embeddings", "code"),
    ],
}


@torch.no_grad()
def sum_up(graph: AnomalyGraph, films: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors [N, F] of prepared films [N, S, S] uint8, and a sample of their errors."""
    graph.eval()
    vectors, errors = [], []
    for start in range(0, len(films), 64):
        stack = torch.from_numpy(films[start : start + 64]).unsqueeze(1).float() / 255
        vector, error = graph.vector(stack)
        vectors.append(vector.numpy())
        errors.append(error[:, ::4, ::4].numpy().ravel())
    return np.concatenate(vectors), np.concatenate(errors)


@torch.no_grad()
def measure_distances(graph: AnomalyGraph, films: np.ndarray) -> np.ndarray:
    """Distances [N] of prepared films [N, S, S] uint8."""
    graph.eval()
    parts = []
    for start in range(0, len(films), 64):
        stack = torch.from_numpy(films[start : start + 64]).unsqueeze(1).float() / 255
        parts.append(graph(stack)[0].numpy())
    return np.concatenate(parts)


def fit_graph(
    network: torch.nn.Module, parts: Sequence[str], films: Sequence[PlainFilm], pixels: np.ndarray
) -> AnomalyGraph:
    """Fit the score on normal training films, adults and children apart where there are both."""
    graph = AnomalyGraph(network, parts)
    normal = np.array([f.truth == "normal" and f.split == "train" for f in films])
    child = np.array([f.group == "children" for f in films])
    vectors, errors = [], []
    for rows in (normal & ~child, normal & child):
        if rows.sum() > 50:
            vector, error = sum_up(graph, pixels[np.flatnonzero(rows)[:3000]])
            vectors.append(vector)
            errors.append(error)
    graph.fit(vectors, np.concatenate(errors))
    round_weights(graph)
    return graph.eval()


def comparisons(
    films: Sequence[PlainFilm], readings: dict[str, str], *, split: str
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Rows and truths of each comparison of a split.

    All films have passed through 224 px by then, so that the list `normals` can be compared.
    """
    sides: dict[str, tuple[list[int], list[bool]]] = {}

    def put(name: str, row: int, abnormal: bool) -> None:
        rows, truths = sides.setdefault(name, ([], []))
        rows.append(row)
        truths.append(abnormal)

    for row, film in enumerate(films):
        if film.split != split:
            continue
        reading = readings.get(film.name, "")
        if film.group == "children":
            put("guangzhou", row, film.truth == "abnormal")
        elif film.group == "normals":
            put("opacity_v_all_normals", row, False)
        else:
            put("nih_mined_labels", row, bool(film.labels))
            if reading in ("normal", "opacity"):
                put("opacity_v_normal_448px", row, reading == "opacity")
                put("opacity_v_all_normals", row, reading == "opacity")
    return {name: (np.array(rows), np.array(truth)) for name, (rows, truth) in sides.items()}


def choose_parts(
    kind: str,
    network: torch.nn.Module,
    films: Sequence[PlainFilm],
    pixels: np.ndarray,
    readings: dict[str, str],
) -> tuple[AnomalyGraph, dict[str, Any]]:
    """Take the vector with the best mean AUC of the comparisons on `val`."""
    best: tuple[float, AnomalyGraph] | None = None
    table: dict[str, Any] = {}
    for parts in CANDIDATES[kind]:
        graph = fit_graph(network, parts, films, pixels)
        areas = {}
        for name, (rows, truth) in comparisons(films, readings, split="val").items():
            areas[name] = round(roc_auc(truth, measure_distances(graph, pixels[rows])), 4)
        mean = float(np.mean(list(areas.values())))
        table[" + ".join(parts)] = {**areas, "mean": round(mean, 4)}
        if best is None or mean > best[0]:
            best = (mean, graph)
    assert best is not None
    return best[1], table


def measure(
    graph: AnomalyGraph, films: Sequence[PlainFilm], pixels: np.ndarray, readings: dict[str, str]
) -> dict[str, Any]:
    """AUC of every comparison on `test`, with intervals over patients."""
    result: dict[str, Any] = {}
    for name, (rows, truth) in comparisons(films, readings, split="test").items():
        distance = measure_distances(graph, pixels[rows])
        interval = bootstrap(roc_auc, truth, distance, groups=[films[i].patient for i in rows])
        result[name] = {**interval.rounded(), "films": len(rows), "abnormal": int(truth.sum())}
    return result


@torch.no_grad()
def measure_pointing(
    graph: AnomalyGraph, root: Path, films: Sequence[PlainFilm], pixels: np.ndarray
) -> dict[str, Any]:
    """How often the highest point of the error map lies in a box of NIH's, beside chance.

    chance: the share of the film's area that the boxes cover
    """
    boxes: dict[str, list[tuple[float, ...]]] = {}
    for box in read_boxes(root):
        boxes.setdefault(box.film, []).append(box.corners)
    hits, areas = [], []
    for row, film in enumerate(films):
        if film.split != "test" or film.name not in boxes:
            continue
        error = graph(torch.from_numpy(pixels[row : row + 1]).unsqueeze(1).float() / 255)[1][
            0
        ].numpy()
        side = error.shape[0]
        inside = np.zeros_like(error, bool)
        for x0, y0, x1, y1 in boxes[film.name]:
            inside[int(y0 * side) : int(y1 * side) + 1, int(x0 * side) : int(x1 * side) + 1] = True
        margin = side // 8  # the frame of the film and burned-in letters are not the chest
        centre = error[margin:-margin, margin:-margin]
        peak = np.unravel_index(int(centre.argmax()), centre.shape)
        hits.append(float(inside[peak[0] + margin, peak[1] + margin]))
        areas.append(float(inside[margin:-margin, margin:-margin].mean()))
    pointing: Interval = bootstrap(
        lambda hit, _: float(hit.mean()), np.array(hits), np.array(areas)
    )
    return {**pointing.rounded(), "chance": round(float(np.mean(areas)), 4), "films": len(hits)}


def readings_of(films: Sequence[Film]) -> dict[str, str]:
    """RSNA's reading of each film that has one."""
    return {film.name: film.reading for film in films if film.reading}


def report(
    kind: str, network: torch.nn.Module, root: Path, config: dict[str, Any]
) -> tuple[AnomalyGraph, dict[str, Any], dict[str, list[float]]]:
    """Fit on train, choose on val, measure on test.

    returns: the graph to export, its figures, the table of percentiles
    """
    films = read_plain_films(root)
    pixels = load_small(
        films, size=config["size"], number=config["preprocessing"], note="plain-all"
    )
    readings = readings_of(read_layout(root))
    graph, chosen = choose_parts(kind, network, films, pixels, readings)
    normal = [i for i, f in enumerate(films) if f.split == "val" and f.truth == "normal"]
    table = fit_percentiles(measure_distances(graph, pixels[normal]))
    figures = {
        "test": measure(graph, films, pixels, readings),
        "pointing_at_nih_boxes": measure_pointing(graph, root, films, pixels),
        "val_choice": chosen,
        "parts": list(graph.parts),
        "reconstruction": "code"
        if isinstance(network, ReversedAutoencoder)
        else "skip connections",
    }
    return graph, figures, table


def export(
    config: dict[str, Any], version: str, *, root: Path = SHARED, weights: Path = WEIGHTS
) -> Bundle:
    """Fit the score, measure and export the anomaly network of a finished training."""
    kind = config["kind"]
    network = build(config)
    hours = load_average(network, config["name"])
    round_weights(network)
    graph, metrics, table = report(kind, network, root, config)
    contract = Contract(
        input=grey_input(config["size"]),
        preprocessing=config["preprocessing"],
        labels=(),
        outputs=("distance", "error"),
        operating_points={},
        settings={"percentiles": table, "through_px": THROUGH_PX},
    )
    evidence = Evidence(
        purpose=PURPOSES[kind],
        training_data=f"Films without a finding: {NIH} with {RSNA}, and {GUANGZHOU}; train only.",
        licence=LICENCE,
        metrics={**metrics, "training_hours": round(hours, 2)},
        limits=[
            "Every comparison passes both sides through 224 px; `448px` ones leave the list of "
            "224-px normals out.",
            "The score is a percentile of normal films, adults and children together; it says "
            "unusual, not ill.",
            "The elements of the vector were chosen on `val` (val_choice).",
        ],
    )
    state = {"config": config, "parts": list(graph.parts), "state": graph.state_dict()}
    keep_checkpoint(kind, version, state)
    return write_bundle(kind, version, graph, contract=contract, evidence=evidence, weights=weights)


def load_serving(checkpoint: Path) -> torch.nn.Module:
    """Give the network of an exported version, with its score."""
    saved = read_checkpoint(checkpoint)
    graph = AnomalyGraph(build(saved["config"]), saved["parts"])
    for name in ("means", "spreads", "factors", "reference"):
        graph.register_buffer(name, saved["state"][name])
    graph.load_state_dict(saved["state"])
    return graph.eval()
