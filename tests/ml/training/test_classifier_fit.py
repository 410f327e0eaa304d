"""Films out of fold join the fit on the exported network's scale; figures are what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.training.abnormal_report import FEWEST_CLEARED, clearing_threshold
from ml.training.attention_report import box_of, cover, inside, peak_of
from ml.training.classifier_fit import (
    NIH_COUNTS,
    NIH_FILMS,
    fitting_sample,
    match_quantiles,
    out_of_fold,
    stated_prevalence,
)
from ml.training.classifier_groups import by_group, worse_groups
from ml.training.data import Film
from ml.training.operating_points import points_on
from ml.vocabulary import CLASSIFIER_LABELS

LABELS = len(CLASSIFIER_LABELS)


def film(name: str, *labels: str, age: float | None = None, sex: str = "") -> Film:
    return Film(Path(name), name, name, frozenset(labels), "train", "films", age=age, sex=sex)


def test_another_networks_logits_come_to_our_scale():
    rng = np.random.default_rng(0)
    theirs = rng.normal(size=400)
    moved = match_quantiles(np.array([-9.0, 0.5, 9.0]), theirs=theirs, ours=2 * theirs - 1)
    assert moved[1] == pytest.approx(0.0, abs=0.1)
    assert moved[0] < -9 < 9 < moved[2] + 4


def test_films_out_of_fold_are_those_that_a_fold_had_left_out():
    val, train = [film(f"v{k}") for k in range(30)], [film("a", "Mass"), film("b"), film("c")]
    rng = np.random.default_rng(1)
    ours = rng.normal(size=(30, LABELS))
    given = {f"v{k}": ours[k] for k in range(30)} | {"a": ours[0], "unknown": ours[1]}
    kept = {"base": given, "fold_1": {"b": ours[2]}, "fold_2": {}}
    logits, films = out_of_fold(ours, val, train, kept=lambda name: kept[name])
    assert [f.name for f in films] == ["a"]  # fold_1 did not read val, so it has no scale
    assert logits.shape == (1, LABELS)
    assert logits[0] == pytest.approx(ours[0], abs=0.4)


def test_without_folds_val_alone_is_fitted_on(monkeypatch):
    monkeypatch.setattr("ml.training.classifier_fit.CACHE", Path("nowhere"))
    sample = fitting_sample(np.zeros((2, LABELS)), [film("v", "Mass"), film("w")], [film("a")])
    assert (len(sample.logits), sample.out_of_fold) == (2, 0)
    assert sample.truth[:, CLASSIFIER_LABELS.index("Mass")].tolist() == [1, 0]


def test_stated_shares_are_those_of_the_whole_collection():
    shares = stated_prevalence()
    assert set(shares) == set(NIH_COUNTS) == set(CLASSIFIER_LABELS)
    assert shares["Infiltration"] == pytest.approx(19_894 / NIH_FILMS, abs=1e-5)
    assert shares["abnormal"] == pytest.approx(0.4616, abs=1e-3)


def test_a_curve_begins_with_everything_and_counts_films():
    curve = points_on(np.array([0.1, 0.2, 0.6, 0.9]), np.array([0, 1, 0, 1]), count=8)
    assert curve[0] == [0.1, 1.0, 0.0]
    assert curve[-1] == [0.9, 0.5, 1.0]
    assert points_on(np.array([0.1, 0.2]), np.array([1, 1]), count=8) == []


def test_only_what_is_nearly_always_right_is_cleared():
    logits = np.arange(100.0)
    abnormal = logits >= 60
    assert clearing_threshold(logits, abnormal) == 60  # 60 of 61 are normal, 60 of 62 too few
    assert clearing_threshold(logits, logits < FEWEST_CLEARED) == float("-inf")


def test_a_group_that_is_worse_is_named():
    rng = np.random.default_rng(2)
    films = [film(str(k), sex="M" if k % 2 else "F") for k in range(400)]
    truth = (rng.random((400, LABELS)) < 0.3).astype(float)
    noise = rng.normal(size=(400, LABELS))
    men = np.array([f.sex == "M" for f in films])[:, None]
    figures = by_group(np.where(men, noise, noise + 4 * truth), truth, films)
    assert worse_groups(figures) == ["sex M"]


def test_a_map_points_at_its_peak_and_its_box_holds_the_peak():
    heat = np.zeros((8, 8))
    heat[2:4, 4:6] = 0.8
    heat[3, 5] = 1.0
    heat[7, 0] = 0.9  # apart from the peak
    assert peak_of(heat) == (5.5 / 8, 3.5 / 8)
    assert box_of(heat).tolist() == [0.5, 0.25, 0.75, 0.5]
    boxes = np.array([[0.5, 0.0, 1.0, 0.375]])
    assert cover(box_of(heat), boxes) == pytest.approx(0.5)
    assert inside((0.6, 0.2), boxes)
    assert not inside((0.4, 0.2), boxes)
