"""Figures of merit agree with a reference and know how sure they are."""

from __future__ import annotations

import numpy as np
import pytest

from ml.training.metrics import bootstrap, calibration_error, mean_auc, roc_auc

sklearn = pytest.importorskip("sklearn.metrics")


def drawn(count: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random(count) < 0.2
    score = np.round(rng.normal(truth * 1.0, 1.0), 1)  # rounded, so that there are ties
    return truth, score


def test_the_area_under_the_curve_is_that_of_scikit_learn():
    truth, score = drawn()
    assert roc_auc(truth, score) == pytest.approx(sklearn.roc_auc_score(truth, score), abs=1e-12)


def test_one_class_alone_has_no_area():
    assert np.isnan(roc_auc(np.ones(4), np.arange(4)))


def test_a_finding_without_films_does_not_count_in_the_mean():
    truth = np.array([[0, 0], [1, 0], [0, 0], [1, 0]])
    score = np.array([[0.1, 0.5], [0.9, 0.5], [0.2, 0.1], [0.8, 0.9]])
    assert mean_auc(truth, score) == 1.0


def test_the_interval_holds_the_value_and_narrows_with_more_films():
    few, many = (bootstrap(roc_auc, *drawn(count), rounds=200) for count in (100, 4000))
    for found in (few, many):
        assert found.low < found.value < found.high
    assert many.high - many.low < 0.4 * (few.high - few.low)


def test_films_of_one_patient_are_drawn_together():
    truth, score = drawn(200)
    doubled = np.repeat(truth, 5), np.repeat(score, 5)
    alone = bootstrap(roc_auc, *doubled, rounds=200)
    grouped = bootstrap(
        roc_auc, *doubled, groups=[str(i) for i in np.repeat(np.arange(200), 5)], rounds=200
    )
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)


def test_probabilities_that_hold_have_no_calibration_error():
    rng = np.random.default_rng(3)
    probability = rng.random(20_000)
    truth = rng.random(20_000) < probability
    assert calibration_error(truth, probability) < 0.02
    assert calibration_error(truth, probability**3) > 0.15
