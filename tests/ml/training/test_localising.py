"""The rules of two-stage reading are learned from films whose boxes are known."""

from pathlib import Path

import numpy as np
import pytest

from ml.detect import group_candidates, overlap_with
from ml.localise import FEATURES, Rules, Sight, read_rules
from ml.training.boxes import KINDS, BoxedFilm
from ml.training.data import Film
from ml.training.detector_measure import fit_thresholds, lesions_of, measure_hits, shown_hits
from ml.training.localising import Seen, fit_rules, group_all, store_rules, worth_of
from ml.vocabulary import BOX_LABELS

pytestmark = pytest.mark.training


def drawn(count: int, *, seed: int = 0) -> list[Seen]:
    """Films on which the classifier's map is right and the detector's own score says nothing."""
    rng = np.random.default_rng(seed)
    regions = np.ones((32, 32), np.uint8)
    seen = []
    for index in range(count):
        low = rng.uniform(0.05, 0.7, (30, 2))
        boxes = np.concatenate([low, low + 0.2], 1)
        kind = index % len(BOX_LABELS)
        centre = (low[0] + 0.1) * 8
        places = np.zeros((8, 8), np.float32)
        places[int(centre[1]), int(centre[0])] = 4.0
        film = Film(Path("x"), f"{index}", f"{index}", frozenset(), "train", "films")
        item = BoxedFilm(film, boxes[:1], np.array([kind]), np.ones(len(KINDS), np.float32))
        sight = Sight(dict.fromkeys(BOX_LABELS, places), dict.fromkeys(BOX_LABELS, 0.5), regions)
        seen.append(Seen(item, boxes, rng.uniform(0.05, 0.1, (30, 9)), sight))
    return seen


def hit_share(seen: list[Seen], rules: dict[str, Rules]) -> float:
    hits = []
    for one in seen:
        groups = group_candidates(one.boxes, one.scores, sight=one.sight, rules=rules)
        top = groups[int(one.item.kinds[0])].boxes[0]
        hits.append(overlap_with(top, one.item.boxes)[0] > 0.3)
    return float(np.mean(hits))


def test_weights_find_out_that_the_map_is_right() -> None:
    rules = fit_rules(drawn(160), gate=0.5)
    blind = {k: Rules(np.eye(len(FEATURES))[0], r.usual, 0.5) for k, r in rules.items()}
    held = drawn(80, seed=1)
    assert hit_share(held, rules) > hit_share(held, blind) + 0.3


def test_rules_survive_the_way_through_the_settings() -> None:
    rules = fit_rules(drawn(80), gate=0.25)
    again = read_rules({"localise": store_rules(rules)}, BOX_LABELS)
    for label in BOX_LABELS:
        assert again[label].weights == pytest.approx(rules[label].weights, abs=1e-3)
        assert again[label].usual == pytest.approx(rules[label].usual, abs=1e-3)
        assert again[label].gate == 0.25


def test_thresholds_hold_false_boxes_down_in_every_collection() -> None:
    rules = fit_rules(drawn(80), gate=0.5)
    parts = [group_all(drawn(60, seed=seed), rules) for seed in (2, 3)]
    thresholds = fit_thresholds(parts, 0.5)
    for part in parts:
        shown = [sum(x.shown for x in own) for own in lesions_of(part, 0.5, thresholds)]
        assert 0 < sum(shown) <= 0.17 * 60


def test_a_hit_counts_the_first_box_and_a_drawn_hit_only_a_drawn_one() -> None:
    rules = fit_rules(drawn(80), gate=0.5)
    seen = drawn(16, seed=4)
    groups = group_all(seen, rules)
    hidden = lesions_of(groups, 0.5, dict.fromkeys(BOX_LABELS, 2.0))
    assert measure_hits(seen, hidden)["hit_0.1"]["value"] > 0.5
    assert shown_hits(seen, hidden) == {"shown_hit_0.1": 0, "shown_hit_0.3": 0, "shown_hit_0.5": 0}


def test_a_candidate_is_worth_more_the_better_it_fits() -> None:
    truth = np.array([[0.2, 0.2, 0.4, 0.4]])
    boxes = np.array([[0.2, 0.2, 0.4, 0.4], [0.25, 0.2, 0.45, 0.4], [0.6, 0.6, 0.8, 0.8]])
    exact, near, far = worth_of(boxes, truth)
    assert exact == pytest.approx(1.0)
    assert exact > near > far == 0
