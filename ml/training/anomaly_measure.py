"""What the anomaly networks are measured by: areas of comparisons, and pointing into boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.anomaly import read_percentile
from ml.training.adjudicated import read_adjudicated
from ml.training.anomaly import PlainFilm, cases_of, read_children
from ml.training.data import read_boxes, read_layout
from ml.training.groups import BY_GROUP, compare_groups
from ml.training.metrics import bootstrap, roc_auc

MINED = "nih_mined_labels"
TEST_ONLY = "guangzhou_numbers_not_in_train"
OPACITY = "Airspace opacity"
ALARM = 95.0  # percentile of normal films, beyond which a film is called unusual here
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
            put(MINED, row, bool(film.labels))
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


def measure_test(
    films: Sequence[PlainFilm],
    root: Path,
    distance: np.ndarray,
    percentiles: Mapping[str, Sequence[float]],
) -> dict[str, Any]:
    """Areas over all and by group, labels of several radiologists, false alarms; distance: [N]."""
    sides = compare_within(films, root)
    adjudicated = read_adjudicated(root)
    score = np.array([read_percentile(float(value), percentiles) for value in distance])
    return {
        "test": measure_areas(films, sides, distance),
        "radiologists": measure_adjudicated(films, distance, adjudicated),
        f"AUC, NIH's mined labels{BY_GROUP}": areas_by_group(
            [films[row] for row in sides[MINED][0]], sides[MINED][1], distance[sides[MINED][0]]
        )
        if MINED in sides
        else {},
        **adjudicated_by_group(films, distance, adjudicated),
        f"normal films called unusual{BY_GROUP}": alarms_by_group(films, score > ALARM),
    }


def areas_by_group(
    films: Sequence[PlainFilm], truth: np.ndarray, distance: np.ndarray
) -> dict[str, Any]:
    """AUC in every group of films; truth, distance: [N]."""
    return compare_groups(
        lambda drawn: roc_auc(truth[drawn], distance[drawn]), cases_of(films), called="AUC"
    )


def alarms_by_group(films: Sequence[PlainFilm], alarmed: np.ndarray) -> dict[str, Any]:
    """Share of the normal films that are alarmed [N] about, in every group."""
    rows = np.array([row for row, film in enumerate(films) if film.truth == "normal"], int)
    return compare_groups(
        lambda drawn: float(alarmed[rows][drawn].mean()),
        cases_of([films[row] for row in rows]),
        called=f"share beyond the percentile {ALARM:g}",
        lower_is_better=True,
        share=True,
    )


def _adjudicated(
    films: Sequence[PlainFilm], adjudicated: Mapping[str, Mapping[str, bool]]
) -> tuple[list[int], np.ndarray]:
    """Rows of the films that several radiologists labelled, and whether any finding was there."""
    rows = [row for row, film in enumerate(films) if film.name in adjudicated]
    return rows, np.array([any(adjudicated[films[row].name].values()) for row in rows], bool)


def measure_adjudicated(
    films: Sequence[PlainFilm],
    distance: np.ndarray,
    adjudicated: Mapping[str, Mapping[str, bool]],
) -> dict[str, Any]:
    """AUC for any finding that several radiologists saw, beside the same by mined labels."""
    rows, truth = _adjudicated(films, adjudicated)
    if not rows:
        return {}
    patients = [films[row].patient for row in rows]
    truths = {
        "any finding, by radiologists": truth,
        "any label, by mined labels": np.array([bool(films[row].labels) for row in rows]),
        "airspace opacity, by radiologists": np.array(
            [adjudicated[films[row].name][OPACITY] for row in rows]
        ),
    }
    return {
        "films": len(rows),
        **{
            name: bootstrap(roc_auc, known, distance[rows], groups=patients).rounded()
            for name, known in truths.items()
        },
    }


def adjudicated_by_group(
    films: Sequence[PlainFilm],
    distance: np.ndarray,
    adjudicated: Mapping[str, Mapping[str, bool]],
) -> dict[str, Any]:
    """AUC for any finding of several radiologists in every group; empty without such labels."""
    rows, truth = _adjudicated(films, adjudicated)
    if not rows:
        return {}
    found = areas_by_group([films[row] for row in rows], truth, distance[rows])
    return {f"AUC, any finding of several radiologists{BY_GROUP}": found}


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
