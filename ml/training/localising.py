"""Fits the rules of two-stage reading (ml.localise) on boxed training films, and runs it on films.

The weights maximise, over the boxed findings of train, the expected worth of the box that a softmax
over the candidates would draw; a box is worth the share of the overlaps 0.1, 0.3, 0.5 that it
passes, and its overlap. Each label has weights of its own, held near those that all share.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml.anatomy import clean_regions
from ml.bundle import WEIGHTS, Bundle, load_bundle
from ml.classify import probabilities
from ml.detect import Group, group_candidates, overlap_with
from ml.localise import (
    FEATURES,
    SYMMETRIC_BUT,
    Rules,
    Sight,
    chest_of,
    features_of,
    look_at,
    mirror,
    within,
)
from ml.runtime import Graph, load_graph, to_input
from ml.training.boxes import BoxedFilm, soften
from ml.training.data import cache_prepared
from ml.training.papers import newest_version
from ml.training.progress import track
from ml.training.views import cache_views
from ml.vocabulary import BOX_LABELS

LEVELS = (0.1, 0.3, 0.5)
FOLDS = 5  # usual boxes are taken from other patients' films while fitting
RIDGE, SHRINK = 0.02, 5e-4
STEPS, RATE = 150, 0.05


@dataclass(frozen=True)
class Helper:
    """A network whose sight the rules use."""

    bundle: Bundle
    graph: Graph

    def run(self, prepared: np.ndarray) -> list[np.ndarray]:
        """Run it on the views of a film, [V, S, S] uint8."""
        return self.graph.run(to_input(prepared, self.bundle.spec.input))

    def prepare(self, films: Sequence[BoxedFilm], *, note: str) -> np.ndarray:
        """Views of films [N, V, S, S] uint8."""
        return cache_views([item.film.path for item in films], self.bundle, note=note)


def load_helper(member: str, *, weights: Path = WEIGHTS) -> Helper:
    """Load the newest exported version of a network."""
    bundle = load_bundle(weights, member, newest_version(member, weights=weights))
    return Helper(bundle, load_graph(bundle, threads=1))


@dataclass(frozen=True)
class Seen:
    """What all three networks made of a film.

    boxes: [N, 4]; scores: [N, 9]: the candidates that any label looks at
    """

    item: BoxedFilm
    boxes: np.ndarray
    scores: np.ndarray
    sight: Sight


@dataclass(frozen=True)
class Watch:
    """Detector, classifier and outline together.

    size, number: of the detector's input
    """

    detector: Graph
    classifier: Helper
    anatomy: Helper
    expected: Any
    number: int

    def see(self, films: Sequence[BoxedFilm], *, note: str, softened: bool = False) -> list[Seen]:
        """Run all three on films; softened: all of them first through 224 px and back."""
        paths = [item.film.path for item in films]
        own = cache_prepared(paths, size=self.expected.size, number=self.number, note=note)
        stacks = (own, *(h.prepare(films, note=note) for h in (self.classifier, self.anatomy)))
        numbered = track(range(len(films)), total=len(films), label=f"{note} through three")
        return [
            self._one(films[i], [soften(np.array(s[i])) if softened else s[i] for s in stacks])
            for i in numbered
        ]

    def _one(self, item: BoxedFilm, prepared: Sequence[np.ndarray]) -> Seen:
        boxes, scores = self.detector.run(to_input(prepared[0], self.expected))
        logits, places = self.classifier.run(prepared[1])[:2]
        (regions,) = self.anatomy.run(prepared[2])
        spec = self.classifier.bundle.spec
        sight = Sight(
            places={name: places[0][spec.labels.index(name)] for name in BOX_LABELS},
            probabilities=probabilities(
                logits[0], labels=spec.labels, calibration=spec.calibration
            ),
            regions=clean_regions(regions[0]),
        )
        rows = np.unique(
            np.concatenate([look_at(scores[0], column) for column in range(len(BOX_LABELS))])
        )
        return Seen(item, boxes[0][rows], scores[0][rows], sight)


def group_all(seen: Sequence[Seen], rules: Mapping[str, Rules]) -> list[list[Group]]:
    """Every film's candidates in order, before the gate."""
    return [group_candidates(s.boxes, s.scores, sight=s.sight, rules=rules) for s in seen]


def boxed_findings(seen: Sequence[Seen]) -> Iterator[tuple[int, int]]:
    """Pairs of film and label that have a box."""
    for index, one in enumerate(seen):
        for kind in sorted({int(k) for k in one.item.kinds if k < len(BOX_LABELS)}):
            yield index, kind


def usual_boxes(seen: Sequence[Seen], kind: int, *, but: int | None = None) -> np.ndarray:
    """Places of a label's boxes in their chests, [P, 4]; but: fold that is left out."""
    places = [
        within(one.item.boxes[one.item.kinds == kind], chest_of(one.sight.regions))
        for one in seen
        if kind in one.item.kinds and (but is None or fold_of(one.item) != but)
    ]
    return np.concatenate(places)


def fold_of(item: BoxedFilm) -> int:
    """The fold that a film's patient falls into."""
    return zlib.crc32(item.film.patient.encode()) % FOLDS


def worth_of(boxes: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """What candidates [N, 4] are worth against a label's boxes [K, 4]: [N] in 0..1."""
    overlap = np.stack([overlap_with(box, boxes) for box in truth]).max(0)
    passed = np.mean([overlap > level for level in LEVELS], axis=0)
    return np.asarray(0.7 * passed + 0.3 * overlap)


def collect(seen: Sequence[Seen]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features [F, C, 8], worths [F, C] and kinds [F] of every boxed finding's candidates.

    A finding with fewer candidates than another is filled up with its last one, worth nothing.
    """
    pools = {
        (kind, fold): usual_boxes(seen, kind, but=fold)
        for kind in range(len(BOX_LABELS))
        for fold in range(FOLDS)
    }
    features, worths, kinds = [], [], []
    for index, kind in boxed_findings(seen):
        one = seen[index]
        rows = look_at(one.scores, kind)
        usual = pools[kind, fold_of(one.item)]
        if BOX_LABELS[kind] != SYMMETRIC_BUT:
            usual = np.concatenate([usual, mirror(usual)])
        places = one.sight.places[BOX_LABELS[kind]]
        features.append(
            features_of(
                one.boxes[rows], one.scores[rows], kind, places=places, sight=one.sight, usual=usual
            )
        )
        worths.append(worth_of(one.boxes[rows], one.item.boxes[one.item.kinds == kind]))
        kinds.append(kind)
    most = max(len(worth) for worth in worths)
    filled = [np.pad(f, ((0, most - len(f)), (0, 0)), mode="edge") for f in features]
    padded = [np.pad(worth, (0, most - len(worth))) for worth in worths]
    return (
        torch.tensor(np.stack(filled), dtype=torch.float32),
        torch.tensor(np.stack(padded), dtype=torch.float32),
        torch.tensor(kinds),
    )


def fit_weights(seen: Sequence[Seen]) -> np.ndarray:
    """Fit the weights of every label, [8, 8]: labels by FEATURES."""
    features, worths, kinds = collect(seen)
    shared = torch.zeros(len(FEATURES))
    shared[0] = 2.0
    shared.requires_grad_()
    own = torch.zeros(len(BOX_LABELS), len(FEATURES), requires_grad=True)
    optimizer = torch.optim.Adam([shared, own], lr=RATE)
    for _ in range(STEPS):
        values = (features * (shared + own[kinds])[:, None]).sum(-1)
        expected = (values.softmax(1) * worths).sum(1).mean()
        loss = RIDGE * own.pow(2).mean(0).sum() + SHRINK * shared.pow(2).sum() - expected
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (shared + own).detach().numpy()


def fit_rules(seen: Sequence[Seen], *, gate: float) -> dict[str, Rules]:
    """Fit everything but the gate, which is given, on boxed training films."""
    weights = fit_weights(seen)
    return {
        label: Rules(weights[kind].astype(np.float64), usual_boxes(seen, kind), gate)
        for kind, label in enumerate(BOX_LABELS)
    }


def store_rules(rules: Mapping[str, Rules]) -> dict[str, Any]:
    """The rules as they stand in a detector's settings."""
    return {
        "features": list(FEATURES),
        "weights": {k: [round(float(v), 4) for v in r.weights] for k, r in rules.items()},
        "usual": {k: np.round(r.usual, 3).tolist() for k, r in rules.items()},
        "gate": next(iter(rules.values())).gate,
    }
