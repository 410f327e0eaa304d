"""Two-stage reading: what classifier and outline know decides between the detector's candidates.

For each label, candidates are ordered by a weighted sum of what speaks for them: the detector's own
score, its score for opacity and for other labels, how usual place and size are for the label in
this chest, and the classifier's map. The film's probability of the label then gates the scores, so
that a disease that the classifier does not see gets no bold box. Weights are fitted by
ml.training.localising.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

FEATURES = ("own", "opacity", "other", "usual", "map", "map edge", "lung", "area")
OWN_BEST, OPACITY_BEST = 200, 60  # candidates of a label that are looked at
GRID = 64  # side of the maps that boxes are laid on
SPREAD = np.array([0.08, 0.08, 0.3, 0.3])  # of centre (in chests) and of the sides' logarithms
SYMMETRIC_BUT = "Cardiomegaly"  # all other labels may lie on either side
FADE = 0.5  # how fast scores fall behind a label's best
WHOLE_CHEST = (0.08, 0.1, 0.92, 0.9)  # where no outline is found


@dataclass(frozen=True)
class Sight:
    """What the other networks saw of a film.

    places: label → [h, w] map of the classifier; probabilities: label → calibrated probability
    regions: [S, S] uint8, the outline (ml.anatomy.REGIONS)
    """

    places: Mapping[str, np.ndarray]
    probabilities: Mapping[str, float]
    regions: np.ndarray


@dataclass(frozen=True)
class Rules:
    """How candidates of one label are ordered and gated.

    weights: [8] for FEATURES; usual: [P, 4] usual boxes as centre and logarithms of the sides, in
    fractions of the chest; gate: 0 leaves scores as they are, 1 puts the probability in their place
    """

    weights: np.ndarray
    usual: np.ndarray
    gate: float


def read_rules(settings: Mapping[str, Any], labels: Sequence[str]) -> dict[str, Rules]:
    """Take the rules out of a detector's settings."""
    stored = settings["localise"]
    return {
        label: Rules(
            np.asarray(stored["weights"][label], np.float64),
            np.asarray(stored["usual"][label], np.float64),
            float(stored["gate"]),
        )
        for label in labels
    }


def chest_of(regions: np.ndarray) -> np.ndarray:
    """The box around lungs and heart, [4] fractions; WHOLE_CHEST where the outline is too small."""
    inside = regions > 0
    columns, rows = np.flatnonzero(inside.any(0)), np.flatnonzero(inside.any(1))
    if not columns.size:
        return np.array(WHOLE_CHEST)
    height, width = regions.shape
    box = np.array(
        [columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height]
    )
    return box if (box[2:] - box[:2]).min() >= 0.3 else np.array(WHOLE_CHEST)


def within(boxes: np.ndarray, chest: np.ndarray) -> np.ndarray:
    """Boxes [N, 4] as centre and logarithms of the sides, in fractions of the chest: [N, 4]."""
    side = chest[2:] - chest[:2]
    low, high = (boxes[:, :2] - chest[:2]) / side, (boxes[:, 2:] - chest[:2]) / side
    return np.concatenate([(low + high) / 2, np.log(np.maximum(high - low, 1e-3))], 1)


def mirror(usual: np.ndarray) -> np.ndarray:
    """Usual boxes [P, 4] on the other side of the chest."""
    return usual * np.array([-1, 1, 1, 1]) + np.array([1, 0, 0, 0])


def usualness(places: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Logarithm of the density of usual boxes around each of places [N, 4]; returns [N]."""
    ours, theirs = places / SPREAD, usual / SPREAD
    apart = (ours**2).sum(1)[:, None] + (theirs**2).sum(1)[None] - 2 * ours @ theirs.T  # [N, P]
    density: np.ndarray = np.exp(-0.5 * np.maximum(apart, 0)).mean(1)
    return np.log(density + 1e-12)


def means_within(grid: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Mean of a square grid under each of boxes [N, 4]; returns [N]."""
    side = grid.shape[0]
    sums = np.pad(grid.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    corners = np.clip(np.round(boxes * side).astype(int), 0, side)
    low = np.minimum(corners[:, :2], side - 1)
    high = np.maximum(corners[:, 2:], low + 1)
    (x0, y0), (x1, y1) = low.T, high.T
    total = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    return np.asarray(total / ((x1 - x0) * (y1 - y0)))


def standard_map(places: np.ndarray) -> np.ndarray:
    """A label's map with mean 0 and spread 1, as [GRID, GRID]."""
    standard = (places - places.mean()) / (places.std() + 1e-6)
    return np.asarray(cv2.resize(standard.astype(np.float32), (GRID, GRID)))


def lung_map(regions: np.ndarray) -> np.ndarray:
    """Share of lung at each place, [GRID, GRID] in 0..1."""
    lungs = ((regions == 1) | (regions == 2)).astype(np.float32)
    return np.asarray(cv2.resize(lungs, (GRID, GRID), interpolation=cv2.INTER_AREA))


def features_of(
    boxes: np.ndarray, scores: np.ndarray, column: int, *, places: np.ndarray, sight: Sight,
    usual: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """What speaks for each candidate.

    boxes: [N, 4]; scores: [N, L] in 0..1, the last column opacity; places: the label's map
    returns: [N, 8] in the order of FEATURES
    """
    logs = np.log(np.clip(scores, 1e-7, 1.0))
    others = np.delete(logs[:, :-1], column, axis=1).max(1)
    here = within(boxes, chest_of(sight.regions))
    grid = standard_map(places)
    low, high = boxes[:, :2], boxes[:, 2:]
    wider = np.clip(np.concatenate([1.5 * low - 0.5 * high, 1.5 * high - 0.5 * low], 1), 0, 1)
    inside = means_within(grid, boxes)
    parts = [
        logs[:, column] / 2,
        logs[:, -1] / 2,
        others / 2,
        usualness(here, usual) / 3,
        inside,
        inside - means_within(grid, wider),
        means_within(lung_map(sight.regions), boxes),
        here[:, 2] + here[:, 3],
    ]
    return np.stack(parts, 1)


def highest(values: np.ndarray, count: int) -> np.ndarray:
    """Rows of the `count` highest of values [N], in no order."""
    if len(values) <= count:
        return np.arange(len(values))
    return np.argpartition(values, len(values) - count)[-count:]


def look_at(scores: np.ndarray, column: int) -> np.ndarray:
    """Rows of the candidates that are worth a look for a label; scores: [N, L]."""
    own = highest(scores[:, column], OWN_BEST)
    return np.unique(np.concatenate([own, highest(scores[:, -1], OPACITY_BEST)]))


def order_candidates(
    boxes: np.ndarray, scores: np.ndarray, column: int, *, label: str, sight: Sight, rules: Rules
) -> tuple[np.ndarray, np.ndarray]:
    """Order one label's candidates.

    boxes: [N, 4]; scores: [N, L]
    returns: boxes [M, 4], and how far each is behind the first in worth, [M], 0 and less
    """
    rows = look_at(scores, column)
    boxes, scores = boxes[rows], scores[rows]
    usual = rules.usual
    if label != SYMMETRIC_BUT:
        usual = np.concatenate([usual, mirror(usual)])
    features = features_of(
        boxes, scores, column, places=sight.places[label], sight=sight, usual=usual
    )
    worth = features @ rules.weights
    order = np.argsort(-worth, kind="stable")
    return boxes[order], worth[order] - worth[order[0]]


def gate_level(best: float, probability: float, gate: float) -> float:
    """The score of a label's first candidate.

    best: the detector's highest score of the label; probability: of the label on this film
    """
    return float(np.clip(probability, 1e-6, 1.0) ** gate * best ** (1 - gate))
