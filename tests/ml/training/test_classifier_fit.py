"""Films out of fold join the fit on the exported network's scale; figures are what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.training.abnormal_report import FEWEST_CLEARED, clearing_threshold
from ml.training.attention_report import box_of, cover, inside, peak_of
from ml.training.classifier_fit import (
    LEAST_SPECIFICITY,
    NIH_COUNTS,
    NIH_FILMS,
    Sample,
    fit_all_points,
    fit_calibration,
    fitting_sample,
    stated_prevalence,
)
from ml.training.data import Film
from ml.training.folds import (
    BELIEVED,
    Fold,
    match_quantiles,
    out_of_fold,
    read_folds,
    separation,
    strengths,
)
from ml.training.operating_points import points_on
from ml.training.targets import published_truth
from ml.vocabulary import CLASSIFIER_LABELS, NAMES

LABELS = len(CLASSIFIER_LABELS)


def film(name: str, *labels: str) -> Film:
    return Film(Path(name), name, name, frozenset(labels), "train", "films")


def drawn(names: list[Film], *, gap: float, rng: np.random.Generator) -> np.ndarray:
    """Logits that lie higher by gap where a film has the label."""
    return rng.normal(size=(len(names), LABELS)) + gap * published_truth(names)


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
    logits, films = out_of_fold(ours, val, read_folds(val, train, kept=lambda name: kept[name]))
    assert [f.name for f in films] == ["a"]  # fold_1 did not read val, so it has no scale
    assert logits.shape == (1, LABELS)
    assert logits[0] == pytest.approx(ours[0], abs=0.4)


def test_a_weaker_networks_classes_are_moved_apart_towards_ours():
    rng = np.random.default_rng(3)
    val, left_out = (
        [film(f"{kind}{k}", *(NAMES if k % 3 == 0 else ())) for k in range(900)] for kind in "vt"
    )
    ours = drawn(val, gap=2.0, rng=rng)
    fold = Fold(drawn(val, gap=1.0, rng=rng), drawn(left_out, gap=1.0, rng=rng), left_out)
    moved, films = out_of_fold(ours, val, [fold])
    truth = published_truth(films)
    before = separation(fold.left_out[:, 0], truth[:, 0])
    after = separation(moved[:, 0], truth[:, 0])
    assert before == pytest.approx(1.0, abs=0.2)
    assert after == pytest.approx(1 + BELIEVED, abs=0.25)  # part of the way to ours, which is 2
    assert moved[:, 0].mean() == pytest.approx(ours[:, 0].mean(), abs=0.15)


def test_a_stronger_networks_classes_are_left_where_they_are():
    rng = np.random.default_rng(4)
    val = [film(f"v{k}", *(NAMES if k % 2 else ())) for k in range(400)]
    weak, strong = drawn(val, gap=0.5, rng=rng), drawn(val, gap=2.0, rng=rng)
    by = strengths(weak, published_truth(val), [Fold(strong, strong, val)])
    assert by.tolist() == [1.0] * LABELS
    assert separation(weak[:, 0], np.zeros(400)) == 0.0


def test_a_findings_alert_marks_few_films_without_it_and_the_answer_abnormal_more():
    rng = np.random.default_rng(5)
    films = [film(f"v{k}", *(NAMES if k % 4 == 0 else ())) for k in range(4_000)]
    truth = published_truth(films)
    sample = Sample(drawn(films, gap=1.0, rng=rng), truth)
    points = fit_all_points(sample, fit_calibration(sample))
    assert points["Mass"]["alert"].specificity == pytest.approx(LEAST_SPECIFICITY, abs=0.01)
    assert points["Mass"]["youden"].specificity < LEAST_SPECIFICITY - 0.05
    assert points["abnormal"]["alert"] == points["abnormal"]["youden"]


def test_without_folds_val_alone_is_fitted_on(monkeypatch):
    monkeypatch.setattr("ml.training.folds.CACHE", Path("nowhere"))
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
