"""Measures exported networks again on the test films, by the graphs that are served.

Thresholds, calibration and rules are those that the bundles carry; nothing is fitted. So it needs
the films and no training checkpoint, and what it finds can be held against the stored figures.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ml.bundle import Release
from ml.gate import load_gate
from ml.localise import read_rules
from ml.runtime import Graph, load_graph, to_input
from ml.training.anatomy_report import measure as measure_anatomy
from ml.training.anomaly import load_small, read_plain_films
from ml.training.anomaly_measure import (
    boxes_by_film,
    compare_within,
    measure_areas,
    measure_pointing,
    rows_with_boxes,
)
from ml.training.boxes import read_boxed_films
from ml.training.classifier_report import evaluate as measure_classifier
from ml.training.detector_measure import chance_hits
from ml.training.detector_release import BESIDE_MAPS, boxes_beside_maps, named, see_part
from ml.training.detector_release import measure as measure_detector
from ml.training.gate_report import measure as measure_gate
from ml.training.localising import Helper, Watch
from ml.training.members import grey_input

Measured = dict[str, Any]


class GraphNetwork(nn.Module):
    """An exported graph of one film in the place of the network that it was made from."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, films: torch.Tensor) -> torch.Tensor:
        """Give the graph's first output for films [B, 1, S, S] in 0..1."""
        inputs = films.contiguous().numpy()
        return torch.from_numpy(np.concatenate([self.graph.run(f[None])[0] for f in inputs]))


def again_gate(release: Release, data: Path) -> Measured:
    """The gate's figures."""
    bundle = release.bundles["gate"]
    return measure_gate(load_gate(bundle, load_graph(bundle)), data)


def again_classifier(release: Release, data: Path) -> Measured:
    """The classifier's figures."""
    spec = release.bundles["classifier"].spec
    figures: Measured = measure_classifier(spec.version, data=data)
    return figures


def again_anatomy(release: Release, data: Path) -> Measured:
    """The outline's figures; its graph gives probabilities, as the network does."""
    bundle = release.bundles["anatomy"]
    config = {"size": bundle.spec.input.size, "preprocessing": bundle.spec.preprocessing}
    return measure_anatomy(GraphNetwork(load_graph(bundle)), data, config)


def again_anomaly(member: str, release: Release, data: Path) -> Measured:
    """One anomaly network's figures."""
    bundle = release.bundles[member]
    graph, spec = load_graph(bundle), bundle.spec
    films = [film for film in read_plain_films(data) if film.split == "test"]
    pixels = load_small(
        films, size=spec.input.size, number=spec.preprocessing, note="plain-all-test"
    )
    boxes = boxes_by_film(data)
    boxed = rows_with_boxes(films, boxes)
    distance, maps = np.zeros(len(films)), {}
    for row, film in enumerate(pixels):
        found, heat = graph.run(to_input(film, spec.input))
        distance[row] = float(found[0])
        if films[row].name in boxes:
            maps[row] = heat[0]
    return {
        "test": measure_areas(films, compare_within(films, data), distance),
        "pointing_at_nih_boxes": measure_pointing(
            [films[row] for row in boxed], np.stack([maps[row] for row in boxed]), boxes
        ),
    }


def again_detector(release: Release, data: Path) -> Measured:
    """The figures of two-stage reading."""
    bundle = release.bundles["detector"]
    spec = bundle.spec
    classifier, anatomy = (
        Helper(release.bundles[name], load_graph(release.bundles[name]))
        for name in ("classifier", "anatomy")
    )
    detector, expected = load_graph(bundle), grey_input(spec.input.size)
    watch = Watch(detector, classifier, anatomy, expected, spec.preprocessing)
    rules = read_rules(spec.settings, spec.labels)
    gate = float(spec.settings["localise"]["gate"])
    test = see_part(watch, data, rules, split="test")
    softened = watch.see([one.item for one in test.boxed], note="boxed-test", softened=True)
    train = named(read_boxed_films(data, split="train"))
    points = {gate: dict(spec.thresholds())}
    return {
        **measure_detector(test, softened, rules, gate=gate, points=points),
        "chance": chance_hits([one.item for one in test.boxed], train),
        BESIDE_MAPS: boxes_beside_maps(watch, data),
    }


AGAIN: dict[str, Callable[[Release, Path], Measured]] = {
    "gate": again_gate,
    "classifier": again_classifier,
    "detector": again_detector,
    "anatomy": again_anatomy,
    "unet": lambda release, data: again_anomaly("unet", release, data),
    "reversed_ae": lambda release, data: again_anomaly("reversed_ae", release, data),
}
