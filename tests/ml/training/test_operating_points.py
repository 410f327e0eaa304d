"""Calibration and operating points are what they claim on films drawn from a known law."""

from __future__ import annotations

import numpy as np
import pytest

from ml.bundle import Calibration
from ml.classify import calibrate
from ml.training.operating_points import fit_platt, fit_points, measure_point


def drawn(count: int, *, gap: float = 2.0, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = (rng.random(count) < 0.25).astype(float)
    return rng.normal(gap * truth - 2.0, 1.0), truth


def test_platt_scaling_finds_the_law_that_films_were_drawn_from():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 20_000)
    truth = rng.random(20_000) < 1 / (1 + np.exp(-(0.7 * logits - 1.0)))
    found = fit_platt(logits, truth.astype(float))
    assert found.slope == pytest.approx(0.7, abs=0.05)
    assert found.intercept == pytest.approx(-1.0, abs=0.06)


def test_few_films_leave_the_slope_near_1():
    found = fit_platt(np.array([-3.0, -2.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.0, 1.0]))
    assert 0.5 < found.slope < 2.0


def test_points_do_what_they_are_named_for():
    logits, truth = drawn(20_000)
    points = fit_points(logits, truth, Calibration(1.0, 0.0))
    assert points["sensitive"].sensitivity == pytest.approx(0.90, abs=0.015)
    assert points["specific"].specificity == pytest.approx(0.95, abs=0.01)
    youden = points["youden"]
    assert points["sensitive"].threshold < youden.threshold < points["specific"].threshold
    assert youden.sensitivity + youden.specificity > 1.66  # of 1.683 at best, for a gap of 2
    assert points["alert"] == youden


def test_an_alert_is_as_specific_as_was_asked_and_never_less_than_youdens_point():
    logits, truth = drawn(20_000)
    by = Calibration(1.0, 0.0)
    quiet = fit_points(logits, truth, by, least_specificity=0.9)
    assert quiet["alert"].specificity == pytest.approx(0.90, abs=0.01)
    assert quiet["youden"].threshold < quiet["alert"].threshold < quiet["specific"].threshold
    loud = fit_points(logits, truth, by, least_specificity=0.5)
    assert loud["alert"] == loud["youden"]


def test_points_are_thresholds_of_the_calibrated_probability():
    logits, truth = drawn(2_000)
    calibration = Calibration(0.8, 0.3)
    plain, scaled = (fit_points(logits, truth, by) for by in (Calibration(1.0, 0.0), calibration))
    logit = np.log(plain["alert"].threshold / (1 - plain["alert"].threshold))
    assert scaled["alert"].threshold == pytest.approx(calibrate(logit, calibration), abs=1e-4)
    assert scaled["alert"].sensitivity == plain["alert"].sensitivity


def test_a_network_that_knows_nothing_still_has_a_point():
    logits, truth = drawn(200, gap=-0.1)
    assert 0 < fit_points(logits, truth, Calibration(1.0, 0.0))["alert"].threshold < 1


def test_no_films_of_a_kind_leave_its_figure_open():
    point = measure_point(0.5, np.array([0.2, 0.7]), np.array([0, 0]))
    assert (point.sensitivity, point.specificity) == (None, 0.5)
