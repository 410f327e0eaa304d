"""Says how unlike normal films a film is, by what an autoencoder of normal films can't rebuild."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ml.bundle import Spec
from ml.runtime import Graph, to_input

# films of the collection of normals are 224 px: every film passes through that size, so that
# sharpness tells nothing
THROUGH_PX = 224


@dataclass(frozen=True)
class Anomaly:
    """One anomaly network's view of a film.

    score: share of normal films that look less unusual, in percent: 0..100, never quite 100
    error: [S, S] float32 in 0..1 over the whole film, where it is brighter than rebuilt by
        more than normal films are at that place; 1 is what one place in 200 of theirs passes
    """

    score: float
    error: np.ndarray


def shrink(prepared: np.ndarray, *, size: int) -> np.ndarray:
    """Shrink a film that was prepared at THROUGH_PX by area means.

    prepared: [224, 224] uint8; returns: [size, size] uint8
    """
    return np.asarray(cv2.resize(prepared, (size, size), interpolation=cv2.INTER_AREA))


def read_percentile(distance: float, table: Mapping[str, Sequence[float]]) -> float:
    """Turn a distance into the percent of normal films with a smaller one.

    table: `distance` ascending and `log_beyond`, the log of the share of normal films beyond it.
    Past its end the log goes on in a straight line, so that the order of very unusual films stays.
    """
    marks = np.asarray(table["distance"])
    logs = np.asarray(table["log_beyond"])
    if distance <= marks[-1]:
        log = float(np.interp(distance, marks, logs))
    else:
        half = len(marks) // 2
        slope = (logs[-1] - logs[half]) / (marks[-1] - marks[half])
        log = float(logs[-1] + slope * (distance - marks[-1]))
    return -100.0 * float(np.expm1(max(log, -30.0)))


def look_for_anomaly(spec: Spec, graph: Graph, prepared: np.ndarray) -> Anomaly:
    """Run one anomaly network on a film.

    graph: film [1, 1, S, S] to distance [1] and error [1, S, S]
    prepared: [THROUGH_PX, THROUGH_PX] uint8
    """
    film = to_input(shrink(prepared, size=spec.input.size), spec.input)
    distance, error = graph.run(film)
    return Anomaly(read_percentile(float(distance[0]), spec.settings["percentiles"]), error[0])
