"""Candidate lesions: overlaps, limits, order and operating points."""

from pathlib import Path

import numpy as np
import pytest

from ml.bundle import load_bundle
from ml.detect import (
    MAX_CANDIDATES,
    MIN_SCORE,
    PER_LABEL,
    find_lesions,
    overlap_with,
    select_candidates,
    suppress,
)
from ml.runtime import load_graph
from ml.vocabulary import BOX_LABELS
from tests.ml import tiny

NEVER = dict.fromkeys(BOX_LABELS, 2.0)


def test_overlap_is_intersection_over_union() -> None:
    box = np.array([0.0, 0.0, 0.5, 0.5])
    others = np.array([[0.0, 0.0, 0.5, 0.5], [0.25, 0.0, 0.75, 0.5], [0.6, 0.6, 0.9, 0.9]])
    assert overlap_with(box, others) == pytest.approx([1.0, 1 / 3, 0.0])


def test_of_overlapping_candidates_the_best_stays() -> None:
    boxes = np.array([[0.1, 0.1, 0.4, 0.4], [0.12, 0.1, 0.42, 0.4], [0.6, 0.6, 0.9, 0.9]])
    assert suppress(boxes, np.array([0.3, 0.8, 0.5])) == [1, 2]


def test_candidates_come_best_first_and_never_more_than_a_hundred() -> None:
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 0.95, (4000, 2))
    boxes = np.concatenate([low, low + 0.02], 1)
    lesions = select_candidates(boxes, rng.uniform(0, 1, (4000, 8)), BOX_LABELS, thresholds=NEVER)
    scores = [lesion.score for lesion in lesions]
    assert scores == sorted(scores, reverse=True)
    assert len(lesions) <= MAX_CANDIDATES
    assert all(sum(x.label == name for x in lesions) <= PER_LABEL for name in BOX_LABELS)


def test_a_candidate_under_the_floor_is_dropped() -> None:
    scores = np.full((1, 8), MIN_SCORE / 2)
    scores[0, 3] = MIN_SCORE
    lesions = select_candidates(
        np.array([[0.1, 0.1, 0.4, 0.4]]), scores, BOX_LABELS, thresholds=NEVER
    )
    assert [lesion.label for lesion in lesions] == [BOX_LABELS[3]]


def test_a_box_that_reaches_over_the_film_ends_at_its_edge() -> None:
    lesions = select_candidates(
        np.array([[-0.2, 0.5, 0.3, 1.4]]), np.full((1, 8), 0.9), BOX_LABELS, thresholds=NEVER
    )
    assert {lesion.box for lesion in lesions} == {(0.0, 0.5, 0.3, 1.0)}


def test_only_what_passes_its_operating_point_is_shown(tmp_path: Path) -> None:
    tiny.build_release(tmp_path)
    bundle = load_bundle(tmp_path, "detector", tiny.VERSION)
    film = np.full((tiny.SIZE, tiny.SIZE), 200, np.uint8)
    lesions = find_lesions(bundle.spec, load_graph(bundle), film)
    assert {lesion.shown for lesion in lesions} == {True, False}
    for lesion in lesions:
        assert lesion.shown == (lesion.score >= bundle.spec.thresholds()[lesion.label])
