"""Two-stage reading: what classifier and outline saw orders and gates the detector's candidates."""

import numpy as np
import pytest

from ml.detect import MIN_SCORE, Group, gate_candidates, group_candidates
from ml.localise import (
    FEATURES,
    WHOLE_CHEST,
    Rules,
    Sight,
    chest_of,
    features_of,
    gate_level,
    look_at,
    means_within,
    mirror,
    within,
)
from ml.vocabulary import BOX_LABELS

NEVER = dict.fromkeys(BOX_LABELS, 2.0)
LEFT, RIGHT = [0.1, 0.3, 0.3, 0.5], [0.7, 0.3, 0.9, 0.5]
USUAL = within(np.array([[0.6, 0.3, 0.8, 0.5]]), np.array([0.0, 0.0, 1.0, 1.0]))


def sight_of(*, bright: tuple[int, int] = (3, 1), probability: float = 0.5) -> Sight:
    places = np.zeros((8, 8), np.float32)
    places[bright] = 5.0
    regions = np.zeros((64, 64), np.uint8)
    regions[4:60, 4:28] = 2
    regions[4:60, 36:60] = 1
    return Sight(
        places=dict.fromkeys(BOX_LABELS, places),
        probabilities=dict.fromkeys(BOX_LABELS, probability),
        regions=regions,
    )


def rules_of(**weights: float) -> dict[str, Rules]:
    named = np.array([weights.get(name.replace(" ", "_"), 0.0) for name in FEATURES])
    return {label: Rules(named, USUAL, 0.5) for label in BOX_LABELS}


def test_the_chest_is_the_box_around_lungs_and_heart() -> None:
    assert chest_of(sight_of().regions) == pytest.approx(np.array([4, 4, 60, 60]) / 64)


def test_a_film_without_an_outline_has_a_usual_chest() -> None:
    assert chest_of(np.zeros((64, 64), np.uint8)) == pytest.approx(WHOLE_CHEST)


def test_a_mirrored_place_lies_as_far_from_the_other_side() -> None:
    place = np.array([[0.2, 0.4, -1.0, -2.0]])
    assert mirror(place) == pytest.approx(np.array([[0.8, 0.4, -1.0, -2.0]]))


def test_the_mean_under_a_box_is_that_of_its_fields() -> None:
    grid = np.zeros((64, 64))
    grid[:, 32:] = 1.0
    boxes = np.array([[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0], [0.25, 0.0, 0.75, 1.0]])
    assert means_within(grid, boxes) == pytest.approx([0.0, 1.0, 0.5])


def test_a_box_of_no_width_still_has_a_mean() -> None:
    assert means_within(np.ones((64, 64)), np.array([[1.0, 1.0, 1.0, 1.0]])) == pytest.approx([1.0])


def test_candidates_that_no_label_looks_at_are_left_out() -> None:
    scores = np.random.default_rng(0).uniform(0, 1, (4000, 9))
    rows = look_at(scores, 2)
    assert len(rows) <= 260
    assert int(scores[:, 2].argmax()) in rows


def test_features_say_where_the_classifier_looks() -> None:
    boxes, scores = np.array([LEFT, RIGHT]), np.full((2, 9), 0.1)
    seen = sight_of()
    found = features_of(boxes, scores, 0, places=seen.places["Mass"], sight=seen, usual=USUAL)
    column = FEATURES.index("map")
    assert found[0, column] > found[1, column]


def test_the_map_of_the_classifier_can_turn_the_order_round() -> None:
    boxes, scores = np.array([LEFT, RIGHT]), np.full((2, 9), 0.1)
    scores[1] = 0.2
    alone = group_candidates(boxes, scores, sight=sight_of(), rules=rules_of(own=1.0))
    helped = group_candidates(boxes, scores, sight=sight_of(), rules=rules_of(own=1.0, map=1.0))
    assert alone[4].boxes[0] == pytest.approx(RIGHT)
    assert helped[4].boxes[0] == pytest.approx(LEFT)


def test_the_heart_is_looked_for_on_its_own_side_only() -> None:
    boxes, scores = np.array([[0.2, 0.3, 0.4, 0.5], [0.6, 0.3, 0.8, 0.5]]), np.full((2, 9), 0.1)
    groups = group_candidates(boxes, scores, sight=sight_of(), rules=rules_of(usual=1.0))
    behind = {group.label: group.behind[1] for group in groups}
    assert behind["Cardiomegaly"] < -1
    assert behind["Effusion"] == pytest.approx(0, abs=0.2)


def test_neighbours_vote_on_the_place_of_the_box_that_is_kept() -> None:
    boxes = np.array([[0.2, 0.2, 0.4, 0.4], [0.22, 0.2, 0.42, 0.4]])
    scores = np.full((2, 9), 0.1)
    group = group_candidates(boxes, scores, sight=sight_of(), rules=rules_of())[4]
    assert len(group.boxes) == 1
    assert group.boxes[0] == pytest.approx([0.21, 0.2, 0.41, 0.4])


def test_a_disease_that_the_classifier_does_not_see_loses_its_box() -> None:
    boxes, scores = np.array([LEFT]), np.full((1, 9), 0.3)
    shown = {}
    for probability in (0.01, 0.9):
        groups = group_candidates(
            boxes, scores, sight=sight_of(probability=probability), rules=rules_of(own=1.0)
        )
        found = gate_candidates(groups, 0.5, thresholds=dict.fromkeys(BOX_LABELS, 0.2))
        shown[probability] = [lesion.label for lesion in found if lesion.shown]
    assert shown == {0.01: [], 0.9: list(BOX_LABELS)}


def test_an_open_gate_leaves_the_score_and_a_closed_one_puts_the_probability() -> None:
    assert gate_level(0.3, 0.8, 0.0) == pytest.approx(0.3)
    assert gate_level(0.3, 0.8, 1.0) == pytest.approx(0.8)


def test_every_label_keeps_its_best_box_however_low_its_score() -> None:
    low = Group("Mass", np.array([LEFT, RIGHT]), np.array([0.0, -9.0]), 1e-5, 1e-4)
    (lesion,) = gate_candidates([low], 0.5, thresholds=NEVER)
    assert lesion.box == pytest.approx(LEFT)
    assert lesion.score == MIN_SCORE
    assert not lesion.shown
