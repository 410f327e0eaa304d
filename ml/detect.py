"""Finds lesions: one pass of the detector, then the candidates that stand out from one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml.bundle import Spec
from ml.runtime import Graph, to_input

MIN_SCORE = 0.01
MAX_CANDIDATES = 100
PER_LABEL = 12  # leaves room for all 8 labels within MAX_CANDIDATES
OVERLAP = 0.3  # candidates of one label that share more than this are one lesion


@dataclass(frozen=True)
class Lesion:
    """A candidate lesion.

    score: 0..1, orders candidates of one label; it is not a probability
    box: x0, y0, x1, y1 as fractions of the film's width and height
    shown: whether the score passes the label's operating point
    """

    label: str
    score: float
    box: tuple[float, float, float, float]
    shown: bool


def overlap_with(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of one box with others.

    box: [4]; others: [N, 4] x0, y0, x1, y1
    returns: [N] in 0..1
    """
    corner0 = np.maximum(box[:2], others[:, :2])
    corner1 = np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.clip(corner1 - corner0, 0, None), axis=1)
    area = np.prod(box[2:] - box[:2])
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1)
    return np.asarray(shared / np.maximum(area + areas - shared, 1e-9))


def suppress(boxes: np.ndarray, scores: np.ndarray, *, limit: int = PER_LABEL) -> list[int]:
    """Keep the best candidate of every group of overlapping ones.

    boxes: [N, 4]; scores: [N]
    returns: at most `limit` indices, best first
    """
    order = np.argsort(-scores, kind="stable")[:300]
    kept: list[int] = []
    while order.size and len(kept) < limit:
        best, order = order[0], order[1:]
        kept.append(int(best))
        order = order[overlap_with(boxes[best], boxes[order]) <= OVERLAP]
    return kept


def select_candidates(
    boxes: np.ndarray,
    scores: np.ndarray,
    labels: Sequence[str],
    *,
    thresholds: Mapping[str, float],
) -> list[Lesion]:
    """Turn the detector's output into candidates, best first.

    boxes: [N, 4] fractions; scores: [N, L] in 0..1, of which the first len(labels) are read
    thresholds: label → operating point
    """
    found: list[Lesion] = []
    for column, label in enumerate(labels):
        rows = np.flatnonzero(scores[:, column] >= MIN_SCORE)
        for row in rows[suppress(boxes[rows], scores[rows, column])]:
            score = float(scores[row, column])
            x0, y0, x1, y1 = (float(v) for v in np.clip(boxes[row], 0, 1))
            found.append(Lesion(label, score, (x0, y0, x1, y1), score >= thresholds[label]))
    found.sort(key=lambda lesion: -lesion.score)
    return found[:MAX_CANDIDATES]


def find_lesions(spec: Spec, graph: Graph, prepared: np.ndarray) -> list[Lesion]:
    """Run the detector on a film.

    graph: film [1, 1, S, S] to boxes [1, N, 4] in fractions and scores [1, N, L]
    prepared: [S, S] uint8
    """
    boxes, scores = graph.run(to_input(prepared, spec.input))
    return select_candidates(boxes[0], scores[0], spec.labels, thresholds=spec.thresholds())
