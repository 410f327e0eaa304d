"""Fits the anomaly score on normal films and measures it on `test`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml.anomaly import THROUGH_PX
from ml.bundle import WEIGHTS, Bundle
from ml.training.anomaly import PlainFilm, build, load_small, read_plain_films
from ml.training.anomaly_measure import (
    ALARM,
    TEST_ONLY,
    boxes_by_film,
    compare_within,
    measure_pointing,
    measure_test,
    rows_with_boxes,
)
from ml.training.anomaly_score import AnomalyGraph, fit_percentiles
from ml.training.autoencoders import ReversedAutoencoder
from ml.training.data import SHARED
from ml.training.export import Contract, Evidence, write_bundle
from ml.training.groups import verdict
from ml.training.members import (
    GUANGZHOU,
    HOURS,
    LICENCE,
    NIH,
    RSNA,
    grey_input,
    keep_checkpoint,
    load_last_part,
    parts_of,
    read_checkpoint,
)
from ml.training.metrics import roc_auc
from ml.training.storing import round_weights

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


ALL_PARTS = ("grid", "global", "code", "embeddings")
BUFFERS = ("means", "spreads", "factors", "place_means", "place_spreads", "reference")
NORMAL_FILMS = 900  # of each group, enough for the spread of a vector


@torch.no_grad()
def sum_up(network: torch.nn.Module, films: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Every part of the vector, [N, F] each, of prepared films [N, S, S] uint8, and its excess."""
    graph = AnomalyGraph(network, ALL_PARTS).eval()
    parts: dict[str, list[np.ndarray]] = {}
    errors = []
    for start in range(0, len(films), 64):
        stack = torch.from_numpy(films[start : start + 64]).unsqueeze(1).float() / 255
        found, error = graph.elements(stack)
        for name, value in found.items():
            parts.setdefault(name, []).append(value.numpy())
        errors.append(error.numpy())
    return {name: np.concatenate(values) for name, values in parts.items()}, np.concatenate(errors)


def fit_graph(
    network: torch.nn.Module,
    parts: Sequence[str],
    groups: Sequence[Mapping[str, np.ndarray]],
    excess: np.ndarray,
) -> AnomalyGraph:
    """Fit score and map on groups of normal films, as summed up."""
    graph = AnomalyGraph(network, parts)
    graph.fit([join(group, parts) for group in groups])
    graph.fit_places(excess)
    round_weights(graph)
    return graph.eval()


def join(found: Mapping[str, np.ndarray], parts: Sequence[str]) -> np.ndarray:
    """The vector [N, F] of the parts named."""
    return np.concatenate([found[part] for part in parts], 1)


@torch.no_grad()
def distances_of(graph: AnomalyGraph, found: Mapping[str, np.ndarray]) -> np.ndarray:
    """Distances [N] of films that were summed up."""
    return graph.distance(torch.from_numpy(join(found, graph.parts))).numpy()


def measure_distances(graph: AnomalyGraph, films: np.ndarray) -> np.ndarray:
    """Distances [N] of prepared films [N, S, S] uint8."""
    return distances_of(graph, sum_up(graph.network, films)[0])


@dataclass(frozen=True)
class Summed:
    """The films of one split with their vectors.

    found: part → [N, F]; excess: [N, S, S]; sides: comparison → (rows, truths)
    """

    films: list[PlainFilm]
    pixels: np.ndarray
    found: dict[str, np.ndarray]
    excess: np.ndarray
    sides: dict[str, tuple[np.ndarray, np.ndarray]]


def sum_up_split(
    network: torch.nn.Module, root: Path, config: dict[str, Any], *, split: str
) -> Summed:
    """Sum up a split: all of val and test, normal films alone of train."""
    films = [f for f in read_plain_films(root) if f.split == split]
    if split == "train":
        adults = [f for f in films if f.truth == "normal" and f.group != "children"]
        children = [f for f in films if f.truth == "normal" and f.group == "children"]
        step = max(1, len(adults) // NORMAL_FILMS)
        films = adults[::step] + children[:NORMAL_FILMS]
    pixels = load_small(
        films, size=config["size"], number=config["preprocessing"], note=f"plain-all-{split}"
    )
    found, excess = sum_up(network, pixels)
    return Summed(films, pixels, found, excess, compare_within(films, root))


def groups_of(train: Summed) -> dict[str, dict[str, np.ndarray]]:
    """The vectors of normal adults and of normal children, apart; a group of few is left out."""
    child = np.array([film.group == "children" for film in train.films])
    return {
        name: {part: value[side] for part, value in train.found.items()}
        for name, side in (("adults", ~child), ("children", child))
        if side.sum() > 50
    }


def areas_on(graph: AnomalyGraph, val: Summed) -> dict[str, float]:
    """AUC of every comparison of `val`."""
    distance = distances_of(graph, val.found)
    return {
        name: round(roc_auc(truth, distance[side]), 4)
        for name, (side, truth) in val.sides.items()
        if name != TEST_ONLY
    }


def compare_groups(graph: AnomalyGraph, train: Summed, val: Summed) -> dict[str, Any]:
    """AUC on `val` where normal is learned from adults, from children, from both, or from each."""
    apart = groups_of(train)
    ways = {name: [group] for name, group in apart.items()}
    ways["both as one"] = [train.found]
    ways["the nearer of two"] = list(apart.values())
    return {
        name: areas_on(fit_graph(graph.network, graph.parts, groups, train.excess), val)
        for name, groups in ways.items()
    }


def choose_parts(
    kind: str, network: torch.nn.Module, train: Summed, val: Summed
) -> tuple[AnomalyGraph, dict[str, Any]]:
    """Take the vector with the best mean AUC of the comparisons on `val`."""
    groups = list(groups_of(train).values())
    best: tuple[float, AnomalyGraph] | None = None
    table: dict[str, Any] = {}
    for parts in CANDIDATES[kind]:
        graph = fit_graph(network, parts, groups, train.excess)
        areas = areas_on(graph, val)
        mean = float(np.mean(list(areas.values())))
        table[" + ".join(parts)] = {**areas, "mean": round(mean, 4)}
        if best is None or mean > best[0]:
            best = (mean, graph)
    assert best is not None
    return best[1], table


@torch.no_grad()
def maps_of(graph: AnomalyGraph, pixels: np.ndarray) -> np.ndarray:
    """Maps [N, S, S] of prepared films [N, S, S] uint8."""
    return np.concatenate(
        [graph(torch.from_numpy(film[None, None]).float() / 255)[1].numpy() for film in pixels]
    )


def report(
    kind: str, network: torch.nn.Module, root: Path, config: dict[str, Any]
) -> tuple[AnomalyGraph, dict[str, Any], dict[str, list[float]]]:
    """Fit on train, choose on val, measure on test.

    returns: the graph to export, its figures, the table of percentiles
    """
    network.eval()
    train, val, test = (
        sum_up_split(network, root, config, split=split) for split in ("train", "val", "test")
    )
    graph, chosen = choose_parts(kind, network, train, val)
    normal = np.array([film.truth == "normal" for film in val.films])
    boxed = rows_with_boxes(test.films, boxes_by_film(root))
    table = fit_percentiles(distances_of(graph, val.found)[normal])
    figures = {
        **measure_test(test.films, root, distances_of(graph, test.found), table),
        "pointing_at_nih_boxes": measure_pointing(
            [test.films[row] for row in boxed],
            maps_of(graph, test.pixels[boxed]),
            boxes_by_film(root),
        ),
        "val_choice": chosen,
        "val_normal_group": compare_groups(graph, train, val),
        "parts": list(graph.parts),
        "reconstruction": "code"
        if isinstance(network, ReversedAutoencoder)
        else "skip connections",
    }
    return graph, figures, table


def stages_of(config: dict[str, Any]) -> dict[str, Any]:
    """How many epochs of the Reversed Autoencoder were warm-up and how many soft-introspective."""
    if config["kind"] == "unet":
        return {}
    warm = soft = 0
    for part, spent in parts_of(config):
        epochs = int(spent["training_epochs"])
        own = min(epochs, int(part["warm_epochs"]))
        warm, soft = warm + own, soft + epochs - own
    return {"warm_up_epochs": warm, "soft_introspective_epochs": soft}


def tell(kind: str, metrics: Mapping[str, Any]) -> Evidence:
    """What the card says."""
    limits = [
        "Every comparison passes both sides through 224 px; `448px` ones leave the list of "
        "224-px normals out.",
        "The score is a percentile of normal films, adults and children together; it says "
        "unusual, not ill.",
        "The elements of the vector were chosen on `val` (val_choice).",
        "val_normal_group: one network, its score fitted on normal adults, on normal children, on "
        "both as one group, or by the nearer of two groups, which is served.",
        "The map shows what is brighter than expected; air where none belongs does not show.",
        f"By group, a normal film is called unusual beyond the percentile {ALARM:g}; age, sex and "
        "view of Guangzhou's children are not known film by film, so they are one group.",
        HOURS,
        verdict(metrics),
    ]
    if metrics.get("soft_introspective_epochs") == 0:
        limits.append(
            "Trained through its variational warm-up only: the soft-introspective epochs with "
            "reversed embeddings are still to come, so these are figures of its first stage."
        )
    return Evidence(
        purpose=PURPOSES[kind],
        training_data=f"Films without a finding: {NIH} with {RSNA}, and {GUANGZHOU}; train only.",
        licence=LICENCE,
        metrics=metrics,
        limits=limits,
    )


def export(
    config: dict[str, Any], version: str, *, root: Path = SHARED, weights: Path = WEIGHTS
) -> Bundle:
    """Fit the score, measure and export the anomaly network of a finished training."""
    kind = config["kind"]
    network = build(config)
    trained = load_last_part(network, config)
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
    metrics |= trained | stages_of(config)
    state = {"config": config, "parts": list(graph.parts), "state": graph.state_dict()}
    keep_checkpoint(kind, version, state)
    return write_bundle(
        kind, version, graph, contract=contract, evidence=tell(kind, metrics), weights=weights
    )


def load_serving(checkpoint: Path) -> torch.nn.Module:
    """Give the network of an exported version, with its score."""
    saved = read_checkpoint(checkpoint)
    graph = AnomalyGraph(build(saved["config"]), saved["parts"])
    for name in BUFFERS:
        graph.register_buffer(name, saved["state"][name])
    graph.load_state_dict(saved["state"])
    return graph.eval()
