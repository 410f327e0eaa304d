"""Logits become probabilities; the best three come first."""

from __future__ import annotations

import numpy as np
import pytest

from ml.bundle import Calibration, Input, OperatingPoint, Spec
from ml.classify import (
    LUNGS_FROM_PX,
    alerts_in_100,
    calibrate,
    film_views,
    probabilities,
    top_findings,
    true_in_100,
)


def test_platt_scaling_keeps_the_order_and_stays_between_0_and_1():
    found = [calibrate(logit, Calibration(0.8, -0.5)) for logit in (-500.0, -1.0, 0.0, 2.0, 500.0)]
    assert found == sorted(found)
    assert 0 < found[0] < found[-1] < 1
    assert calibrate(0.0, Calibration(1.0, 0.0)) == 0.5


def test_every_label_has_its_own_calibration():
    by = {"a": Calibration(1.0, 0.0), "b": Calibration(1.0, -2.0)}
    found = probabilities(np.array([0.0, 0.0], np.float32), labels=("a", "b"), calibration=by)
    assert found["a"] == 0.5
    assert found["b"] == pytest.approx(0.1192, abs=1e-4)


def test_a_logit_that_is_not_finite_is_a_fault():
    with pytest.raises(ValueError, match="not finite"):
        probabilities(np.array([np.nan]), labels=("a",), calibration={"a": Calibration(1.0, 0.0)})


def test_the_three_most_probable_come_best_first():
    top = top_findings({"a": 0.1, "b": 0.7, "c": 0.3, "d": 0.7})
    assert [(item.disease, item.probability) for item in top] == [
        ("b", 0.7),
        ("d", 0.7),
        ("c", 0.3),
    ]


def test_alerts_and_true_alerts_follow_from_a_stated_prevalence():
    point = OperatingPoint(0.3, sensitivity=0.9, specificity=0.8)
    assert alerts_in_100(point, 0.1) == pytest.approx(9 + 18)
    assert true_in_100(point, 0.1) == pytest.approx(100 * 9 / 27)
    assert true_in_100(point, 0.0) == 0


def test_a_point_that_was_not_measured_promises_nothing():
    assert alerts_in_100(OperatingPoint(0.3), 0.1) is None
    assert true_in_100(OperatingPoint(0.3, sensitivity=0.9), 0.1) is None
    assert true_in_100(OperatingPoint(1.0, sensitivity=0.0, specificity=1.0), 0.1) is None


def spec_of(views: dict[str, int]) -> Spec:
    return Spec(
        name="classifier", version="1", graph="graph.onnx",
        input=Input(size=32, channels=len(views), mean=0.0, std=255.0),
        preprocessing=1, labels=(), outputs=(), calibration={}, operating_points={},
        prevalence={}, training_data="", licence="", settings={"views": views}, files={},
    )  # fmt: skip


def test_a_network_gets_the_views_that_it_was_trained_on():
    lungs = np.zeros((16, 16), bool)
    lungs[4:12, 2:6] = lungs[4:12, 10:14] = True
    asked = []

    def whole(side: int) -> np.ndarray:
        asked.append(side)
        return np.full((side, side), 90, np.uint8)

    stack = film_views(spec_of({"whole": 32, "lungs": 24}), whole, lungs)
    assert stack.shape == (2, 32, 32)
    assert (stack[0] == 90).all()
    assert stack[1, 0, 12] == 0
    assert stack[1, 12, 3] > 0
    assert not stack[1, 24:].any()
    assert asked == [32, LUNGS_FROM_PX]
    assert film_views(spec_of({"whole": 32}), whole, None).shape == (1, 32, 32)


def test_a_network_of_the_lungs_needs_their_outline():
    with pytest.raises(ValueError, match="no outline of them"):
        film_views(spec_of({"lungs": 32}), lambda side: np.zeros((side, side), np.uint8), None)
