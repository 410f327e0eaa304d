"""Finds lesions: one pass of the detector, then the candidates that stand out from one another.

What classifier and outline saw orders and gates the candidates (ml.localise).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml.bundle import Spec
from ml.localise import FADE, Rules, Sight, gate_level, order_candidates, read_rules
from ml.runtime import Graph, to_input

MIN_SCORE = 0.01
MAX_CANDIDATES = 100
PER_LABEL = 12  # leaves room for all 8 labels within MAX_CANDIDATES
STANDING_OUT = 6  # of a label, in two-stage reading
VOTE = 0.4  # overlap from which candidates take part in the place of the one that is kept
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


@dataclass(frozen=True)
class Group:
    """One label's candidates that stand out from one another.

    boxes: [M, 4] fractions, M at least 1; behind: [M] worth beside the first's, 0 and less
    best: the detector's highest score of the label; probability: of the label on this film
    """

    label: str
    boxes: np.ndarray
    behind: np.ndarray
    best: float
    probability: float

    def scores(self, gate: float) -> np.ndarray:
        """Scores [M] in 0..1, best first; the first is never under the floor."""
        level = gate_level(self.best, self.probability, gate)
        scores = np.clip(level * np.exp(FADE * self.behind), 0, 1)
        scores[0] = max(scores[0], MIN_SCORE)
        return np.asarray(scores)


def settle(box: np.ndarray, boxes: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Let the candidates around a kept one vote on its place; boxes: [N, 4]; returns [4]."""
    near = overlap_with(box, boxes) > VOTE
    return np.asarray(np.average(boxes[near], axis=0, weights=np.exp(FADE * behind[near])))


def group_candidates(
    boxes: np.ndarray, scores: np.ndarray, *, sight: Sight, rules: Mapping[str, Rules]
) -> list[Group]:
    """Order every label's candidates and keep those that stand out.

    boxes: [N, 4]; scores: [N, L], the first len(rules) columns in the order of rules, the last of
    them all opacity
    """
    groups = []
    for column, (label, rule) in enumerate(rules.items()):
        ordered, behind = order_candidates(
            boxes, scores, column, label=label, sight=sight, rules=rule
        )
        kept = suppress(ordered, behind, limit=STANDING_OUT)
        places = np.stack([settle(ordered[i], ordered, behind) for i in kept])
        best = float(scores[:, column].max())
        groups.append(Group(label, places, behind[kept], best, sight.probabilities[label]))
    return groups


def gate_candidates(
    groups: Sequence[Group], gate: float, *, thresholds: Mapping[str, float]
) -> list[Lesion]:
    """Turn groups into candidates, best first; every label keeps its first."""
    found: list[Lesion] = []
    for group in groups:
        for box, score in zip(np.clip(group.boxes, 0, 1), group.scores(gate), strict=True):
            if score >= MIN_SCORE:
                x0, y0, x1, y1 = (float(v) for v in box)
                shown = bool(score >= thresholds[group.label])
                found.append(Lesion(group.label, float(score), (x0, y0, x1, y1), shown))
    found.sort(key=lambda lesion: -lesion.score)
    return found[:MAX_CANDIDATES]


def find_lesions(
    spec: Spec, graph: Graph, prepared: np.ndarray, sight: Sight | None = None
) -> list[Lesion]:
    """Run the detector on a film.

    graph: film [1, 1, S, S] to boxes [1, N, 4] in fractions and scores [1, N, L]
    prepared: [S, S] uint8; sight: None leaves the detector's own scores as they are, as does a
    detector that was exported without rules
    """
    boxes, scores = graph.run(to_input(prepared, spec.input))
    thresholds = spec.thresholds()
    if sight is None or "localise" not in spec.settings:
        return select_candidates(boxes[0], scores[0], spec.labels, thresholds=thresholds)
    rules = read_rules(spec.settings, spec.labels)
    groups = group_candidates(boxes[0], scores[0], sight=sight, rules=rules)
    return gate_candidates(groups, rules[spec.labels[0]].gate, thresholds=thresholds)
