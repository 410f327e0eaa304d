"""Logits become probabilities; the best three come first."""

from __future__ import annotations

import numpy as np
import pytest

from ml.bundle import Calibration
from ml.classify import calibrate, probabilities, top_findings


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
