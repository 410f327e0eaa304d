"""What the anomaly networks are measured by: areas of comparisons, and pointing into boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.training.anomaly import PlainFilm, read_children
from ml.training.data import read_boxes, read_layout
from ml.training.metrics import bootstrap, roc_auc

TEST_ONLY = "guangzhou_numbers_not_in_train"
MARGIN = 8  # part of a side that is left out: the frame and burned-in letters are not the chest

Sides = dict[str, tuple[np.ndarray, np.ndarray]]
Boxes = Mapping[str, Sequence[tuple[float, ...]]]


def comparisons(
    films: Sequence[PlainFilm], readings: Mapping[str, str], *, trained: frozenset[str]
) -> Sides:
    """Rows and truths of each comparison.

    trained: patients of train, as far as their numbers tell (the README of the data says why).
    All films have passed through 224 px by then, so that the list `normals` can be compared.
    """
    sides: dict[str, tuple[list[int], list[bool]]] = {}

    def put(name: str, row: int, abnormal: bool) -> None:
        rows, truths = sides.setdefault(name, ([], []))
        rows.append(row)
        truths.append(abnormal)

    for row, film in enumerate(films):
        reading = readings.get(film.name, "")
        if film.group == "children":
            put("guangzhou", row, film.truth == "abnormal")
            if film.patient not in trained:
                put(TEST_ONLY, row, film.truth == "abnormal")
        elif film.group == "normals":
            put("opacity_v_all_normals", row, False)
        else:
            put("nih_mined_labels", row, bool(film.labels))
            if reading in ("normal", "opacity"):
                put("opacity_v_normal_448px", row, reading == "opacity")
                put("opacity_v_all_normals", row, reading == "opacity")
    return {name: (np.array(rows), np.array(truth)) for name, (rows, truth) in sides.items()}


def compare_within(films: Sequence[PlainFilm], root: Path) -> Sides:
    """Rows and truths of each comparison among the films of one split."""
    readings = {film.name: film.reading for film in read_layout(root) if film.reading}
    trained = frozenset(f.patient for f in read_children(root) if f.split != "test")
    return comparisons(films, readings, trained=trained)


def measure_areas(films: Sequence[PlainFilm], sides: Sides, distance: np.ndarray) -> dict[str, Any]:
    """AUC of every comparison, with intervals over patients; distance: [N]."""
    result: dict[str, Any] = {}
    for name, (rows, truth) in sides.items():
        patients = [films[i].patient for i in rows]
        interval = bootstrap(roc_auc, truth, distance[rows], groups=patients)
        result[name] = {**interval.rounded(), "films": len(rows), "abnormal": int(truth.sum())}
    return result


def boxes_by_film(root: Path) -> dict[str, list[tuple[float, ...]]]:
    """NIH's boxes: film → corners."""
    boxes: dict[str, list[tuple[float, ...]]] = {}
    for box in read_boxes(root):
        boxes.setdefault(box.film, []).append(box.corners)
    return boxes


def rows_with_boxes(films: Sequence[PlainFilm], boxes: Boxes) -> list[int]:
    """Rows of the films that carry a box."""
    return [row for row, film in enumerate(films) if film.name in boxes]


def measure_pointing(
    films: Sequence[PlainFilm], maps: np.ndarray, boxes: Boxes
) -> dict[str, float | int]:
    """How often the highest point of the map lies in a box of NIH's, beside chance.

    maps: [N, S, S]; chance: the share of the looked-at area that the boxes cover
    """
    hits, areas = [], []
    for film, heat in zip(films, maps, strict=True):
        side = heat.shape[0]
        inside = np.zeros_like(heat, bool)
        for x0, y0, x1, y1 in boxes[film.name]:
            inside[int(y0 * side) : int(y1 * side) + 1, int(x0 * side) : int(x1 * side) + 1] = True
        margin = side // MARGIN
        centre = heat[margin:-margin, margin:-margin]
        peak = np.unravel_index(int(centre.argmax()), centre.shape)
        hits.append(float(inside[peak[0] + margin, peak[1] + margin]))
        areas.append(float(inside[margin:-margin, margin:-margin].mean()))
    pointing = bootstrap(
        lambda hit, _: float(hit.mean()),
        np.array(hits),
        np.array(areas),
        groups=[film.patient for film in films],
    )
    return {**pointing.rounded(), "chance": round(float(np.mean(areas)), 4), "films": len(hits)}
