"""Measures exported networks again on the test films, by the graphs that are served.

Thresholds, calibration and rules are those that the bundles carry; nothing is fitted. So it needs
the films and no training checkpoint, and what it finds can be held against the stored figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ml.bundle import CHILD_LABEL, OPTIONAL, REQUIRED, WEIGHTS, Bundle, load_bundle
from ml.gate import load_gate
from ml.localise import read_rules
from ml.runtime import Graph, load_graph, to_input
from ml.training import (
    anatomy_report,
    anomaly_report,
    classifier_report,
    detector_release,
    gate_report,
    paediatric_report,
)
from ml.training.anomaly import load_small, read_plain_films
from ml.training.anomaly_measure import (
    boxes_by_film,
    measure_pointing,
    measure_test,
    rows_with_boxes,
)
from ml.training.boxes import read_boxed_films
from ml.training.detector_measure import chance_hits
from ml.training.detector_release import BESIDE_MAPS, boxes_beside_maps, named, see_part
from ml.training.goals import stored_figures
from ml.training.localising import Helper, Watch
from ml.training.members import grey_input
from ml.training.paediatric import read_children
from ml.training.papers import Evidence, contract_of, newest_version, rewrite

Measured = dict[str, Any]
Bundles = Mapping[str, Bundle]


class GraphNetwork(nn.Module):
    """An exported graph of one film in the place of the network that it was made from."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, films: torch.Tensor) -> torch.Tensor:
        """Give the graph's first output for films [B, 1, S, S] in 0..1."""
        inputs = films.contiguous().numpy()
        return torch.from_numpy(np.concatenate([self.graph.run(f[None])[0] for f in inputs]))


def again_gate(bundles: Bundles, data: Path) -> Measured:
    """The gate's figures."""
    bundle = bundles["gate"]
    return gate_report.measure(load_gate(bundle, load_graph(bundle)), data)


def again_classifier(bundles: Bundles, data: Path) -> Measured:
    """The classifier's figures."""
    bundle = bundles["classifier"]
    weights = bundle.folder.parents[1]
    return classifier_report.evaluate(bundle.spec.version, data=data, weights=weights)


def again_anatomy(bundles: Bundles, data: Path) -> Measured:
    """The outline's figures; its graph gives probabilities, as the network does."""
    bundle = bundles["anatomy"]
    config = {"size": bundle.spec.input.size, "preprocessing": bundle.spec.preprocessing}
    return anatomy_report.measure(GraphNetwork(load_graph(bundle)), data, config)


def again_anomaly(member: str, bundles: Bundles, data: Path) -> Measured:
    """One anomaly network's figures."""
    bundle = bundles[member]
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
        **measure_test(films, data, distance, spec.settings["percentiles"]),
        "pointing_at_nih_boxes": measure_pointing(
            [films[row] for row in boxed], np.stack([maps[row] for row in boxed]), boxes
        ),
    }


def again_detector(bundles: Bundles, data: Path) -> Measured:
    """The figures of two-stage reading."""
    bundle = bundles["detector"]
    spec = bundle.spec
    classifier, anatomy = (
        Helper(bundles[name], load_graph(bundles[name])) for name in ("classifier", "anatomy")
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
        **detector_release.measure(test, softened, rules, gate=gate, points=points),
        "chance": chance_hits([one.item for one in test.boxed], train),
        BESIDE_MAPS: boxes_beside_maps(watch, data),
    }


def again_paediatric(bundles: Bundles, data: Path) -> Measured:
    """The figures of the reader of children's films."""
    bundle = bundles["paediatric"]
    spec, films = bundle.spec, read_children(data)
    config = {"size": spec.input.size, "preprocessing": spec.preprocessing}
    logits = paediatric_report.run_graph(load_graph(bundle), films, config)
    alert = spec.operating_points[CHILD_LABEL]["alert"].threshold
    return paediatric_report.measure_reader(logits, films, spec.calibration[CHILD_LABEL], alert)


AGAIN: dict[str, Callable[[Bundles, Path], Measured]] = {
    "gate": again_gate,
    "classifier": again_classifier,
    "detector": again_detector,
    "anatomy": again_anatomy,
    "unet": lambda bundles, data: again_anomaly("unet", bundles, data),
    "reversed_ae": lambda bundles, data: again_anomaly("reversed_ae", bundles, data),
    "paediatric": again_paediatric,
}
TOLD: dict[str, Callable[[Measured], Evidence]] = {
    "gate": gate_report.tell,
    "classifier": classifier_report.evidence_of,
    "detector": detector_release.tell,
    "anatomy": anatomy_report.tell,
    "unet": lambda metrics: anomaly_report.tell("unet", metrics),
    "reversed_ae": lambda metrics: anomaly_report.tell("reversed_ae", metrics),
    "paediatric": paediatric_report.evidence_of,
}


def write_again(member: str, version: str, *, data: Path, weights: Path = WEIGHTS) -> Path:
    """Measure the newest version of a network again by its graph, and write it as a new version.

    Graph, calibration and operating points stay, and so do figures that only a training or a
    fitting gives; returns: the new version's folder
    """
    present = [name for name in (*REQUIRED, *OPTIONAL) if any((weights / name).glob("*/spec.json"))]
    bundles = {
        name: load_bundle(weights, name, newest_version(name, weights=weights)) for name in present
    }
    metrics = {**stored_figures(bundles[member]), **AGAIN[member](bundles, data)}
    return rewrite(bundles[member], version, contract_of(bundles[member]), TOLD[member](metrics))
