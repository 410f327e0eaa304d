"""Measures two-stage reading: boxes hit, average precision, false boxes, and what the gate does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ml.detect import Group, Lesion, gate_candidates, overlap_with, select_candidates
from ml.training.boxes import KINDS, BoxedFilm
from ml.training.detector_report import (
    OVERLAPS,
    average_precision,
    bootstrap_films,
    match_all,
    mean_precision,
)
from ml.training.groups import FEWEST_OF_A_MEAN, Cases, compare_groups, groups_of
from ml.training.localising import Seen, boxed_findings
from ml.vocabulary import BOX_LABELS

GATES = (0.0, 0.25, 0.5, 0.75, 1.0)
AIMED = 0.16  # on val; leaves room, since thresholds are fitted on these films
NO_THRESHOLD = dict.fromkeys(BOX_LABELS, 0.0)


def lesions_of(
    groups: Sequence[Sequence[Group]], gate: float, thresholds: Mapping[str, float] = NO_THRESHOLD
) -> list[list[Lesion]]:
    """Every film's lesions as they are served."""
    return [gate_candidates(own, gate, thresholds=thresholds) for own in groups]


def lesions_alone(seen: Sequence[Seen]) -> list[list[Lesion]]:
    """Every film's lesions by the detector's own scores."""
    return [select_candidates(s.boxes, s.scores, BOX_LABELS, thresholds=NO_THRESHOLD) for s in seen]


def chance_hits(
    films: Sequence[BoxedFilm], train: Sequence[BoxedFilm], *, draws: int = 100
) -> dict[str, float]:
    """Hit rates of boxes drawn at random from the training boxes of the same label."""
    rng = np.random.default_rng(0)
    pools = {
        kind: np.concatenate([item.boxes[item.kinds == kind] for item in train])
        for kind in range(len(BOX_LABELS))
    }
    overlaps = []
    for item in films:
        for kind in sorted({int(k) for k in item.kinds if k < len(BOX_LABELS)}):
            truth = item.boxes[item.kinds == kind]
            drawn = pools[kind][rng.integers(0, len(pools[kind]), draws)]
            overlaps.append([float(overlap_with(box, truth).max()) for box in drawn])
    array = np.array(overlaps)
    return {f"hit_{level}": round(float((array > level).mean()), 4) for level in OVERLAPS}


def share_above(values: np.ndarray, level: float, rows: np.ndarray) -> float:
    """Share of the values in rows that pass a level."""
    return float((values[rows] > level).mean())


def top_overlap(lesions: Sequence[Lesion], item: BoxedFilm, kind: int) -> float:
    """Overlap of the highest-scoring box of a label with the film's box that fits best."""
    top = next((x for x in lesions if x.label == KINDS[kind]), None)
    if top is None:
        return 0.0
    return float(overlap_with(np.array(top.box), item.boxes[item.kinds == kind]).max())


def measure_hits(seen: Sequence[Seen], lesions: Sequence[Sequence[Lesion]]) -> dict[str, Any]:
    """Hit rates over all boxed findings, each with its interval over patients, and by label."""
    pairs = list(boxed_findings(seen))
    overlap = np.array([top_overlap(lesions[i], seen[i].item, kind) for i, kind in pairs])
    patients = [seen[i].item.film.patient for i, _ in pairs]
    kinds = np.array([kind for _, kind in pairs])
    result: dict[str, Any] = {"boxed_findings": len(pairs)}
    for level in OVERLAPS:
        result[f"hit_{level}"] = bootstrap_films(partial(share_above, overlap, level), patients)
    for kind, label in enumerate(BOX_LABELS):
        own = overlap[kinds == kind]
        result[label] = {
            "boxed": len(own),
            **{f"hit_{level}": round(float((own > level).mean()), 3) for level in OVERLAPS},
        }
    return result


def hits_by_group(
    seen: Sequence[Seen], lesions: Sequence[Sequence[Lesion]], level: float
) -> dict[str, Any]:
    """Share of the boxed findings that the best box hits, in every group of films."""
    pairs = list(boxed_findings(seen))
    hit = np.array([top_overlap(lesions[i], seen[i].item, kind) > level for i, kind in pairs])
    return compare_groups(
        lambda drawn: float(hit[drawn].mean()),
        cases_of([seen[i] for i, _ in pairs]),
        called="share",
        fewest=FEWEST_OF_A_MEAN,
    )


def false_by_group(seen: Sequence[Seen], lesions: Sequence[Sequence[Lesion]]) -> dict[str, Any]:
    """Boxes drawn per normal film, in every group of films."""
    counts = np.array([sum(x.shown for x in own) for own in lesions], float)
    return compare_groups(
        lambda drawn: float(counts[drawn].mean()),
        cases_of(seen),
        called="boxes per film",
        lower_is_better=True,
        fewest=FEWEST_OF_A_MEAN,
    )


def cases_of(seen: Sequence[Seen]) -> Cases:
    """Films, or boxed findings by their films, with patients and groups."""
    films = [one.item.film for one in seen]
    return Cases([film.patient for film in films], [groups_of(film) for film in films])


def measure_precision(seen: Sequence[Seen], lesions: Sequence[Sequence[Lesion]]) -> dict[str, Any]:
    """Mean average precision at IoU 0.5 with its interval over patients, and by label."""
    films = [one.item for one in seen]
    matches = match_all(films, lesions)
    patients = [item.film.patient for item in films]
    whole = bootstrap_films(lambda rows: mean_precision(matches, rows), patients)
    by_label = {label: round(average_precision(own), 4) for label, own in matches.items()}
    return {"map_50": whole, "average_precision": by_label}


def measure_false(seen: Sequence[Seen], lesions: Sequence[Sequence[Lesion]]) -> dict[str, Any]:
    """How many boxes are drawn per film, with the interval over patients."""
    counts = np.array([sum(x.shown for x in own) for own in lesions], float)
    patients = [one.item.film.patient for one in seen]
    mean = bootstrap_films(lambda rows: float(counts[rows].mean()), patients)
    return {"films": len(seen), "boxes_per_film": mean}


def shown_hits(seen: Sequence[Seen], lesions: Sequence[Sequence[Lesion]]) -> dict[str, float]:
    """Shares of the boxed findings that a drawn box of the right label hits."""
    overlaps = []
    for index, kind in boxed_findings(seen):
        item = seen[index].item
        truth = item.boxes[item.kinds == kind]
        boxes = [x.box for x in lesions[index] if x.shown and x.label == KINDS[kind]]
        overlaps.append(max((float(overlap_with(np.array(b), truth).max()) for b in boxes),
                            default=0.0))  # fmt: skip
    array = np.array(overlaps)
    return {f"shown_hit_{level}": round(float((array > level).mean()), 4) for level in OVERLAPS}


def fit_thresholds(groups: Sequence[Sequence[Sequence[Group]]], gate: float) -> dict[str, float]:
    """Give each label the threshold that an equal share of normal val films passes.

    groups: collections of normal films, none of which may carry more than AIMED boxes a film
    """
    best = [np.array([[g.scores(gate)[0] for g in own] for own in part]) for part in groups]
    whole = np.concatenate(best)
    marks = whole.max(0)
    for share in np.arange(AIMED / len(BOX_LABELS), 0, -0.001):
        marks = np.quantile(whole, 1 - share, axis=0)
        named = dict(zip(BOX_LABELS, marks, strict=True))
        counts = [_mean_boxes(lesions_of(part, gate, named)) for part in groups]
        if max(counts) <= AIMED:
            break
    return {label: float(mark) for label, mark in zip(BOX_LABELS, marks, strict=True)}


def _mean_boxes(lesions: Sequence[Sequence[Lesion]]) -> float:
    return float(np.mean([sum(x.shown for x in own) for own in lesions]))


def try_gates(
    boxed: Sequence[Seen],
    groups: Sequence[Sequence[Group]],
    normal: Mapping[str, Sequence[Sequence[Group]]],
    points: Mapping[float, Mapping[str, float]],
) -> dict[str, Any]:
    """What each strength of the gate does to drawn boxes that hit and to false ones.

    groups: of the boxed films; normal: collection → groups of its films; points: gate → thresholds
    """
    patients = [one.item for one in boxed]
    table: dict[str, Any] = {}
    for gate, thresholds in points.items():
        lesions = lesions_of(groups, gate, thresholds)
        matches = match_all(patients, lesions)
        row: dict[str, Any] = {"map_50": round(mean_precision(matches, np.arange(len(boxed))), 4)}
        row |= shown_hits(boxed, lesions)
        for name, own in normal.items():
            row[f"false_boxes_{name}"] = round(_mean_boxes(lesions_of(own, gate, thresholds)), 4)
        table[f"gate {gate:g}"] = row
    return table
