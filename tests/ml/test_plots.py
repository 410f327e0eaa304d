"""Curves are drawn from what was measured."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from ml.training.metrics import roc_auc
from ml.training.plots import (
    precision_curve,
    receiver_curve,
    reliability_curve,
    thin,
    write_curves,
)

RNG = np.random.default_rng(0)
TRUTH = RNG.random(400) < 0.3
SCORE = np.clip(0.3 * TRUTH + RNG.normal(0.3, 0.2, 400), 0, 1).round(2)


def test_the_area_under_the_drawn_curve_is_the_measured_one():
    x, y = receiver_curve(TRUTH, SCORE).T
    assert np.trapezoid(y, x) == pytest.approx(roc_auc(TRUTH, SCORE))


def test_precision_ends_at_the_share_of_the_ill():
    curve = precision_curve(TRUTH, SCORE)
    assert curve[-1] == pytest.approx([1.0, TRUTH.mean()])


def test_right_probabilities_lie_on_the_diagonal():
    given = RNG.random(20_000)
    curve = reliability_curve(RNG.random(20_000) < given, given)
    assert len(curve) == 10
    assert np.abs(curve[:, 0] - curve[:, 1]).max() < 0.05


def test_thinning_keeps_both_ends():
    curve = receiver_curve(TRUTH, RNG.random(400))
    short = thin(curve)
    assert len(short) <= 61
    assert short[0] == pytest.approx(curve[0])
    assert short[-1] == pytest.approx(curve[-1])


def test_three_small_pictures_are_written(tmp_path: Path):
    paths = write_curves(
        {"Mass & more": TRUTH}, {"Mass & more": SCORE}, {"roc": {"Mass & more": "AUC < 1"}},
        folder=tmp_path,
    )  # fmt: skip
    assert [path.name for path in paths] == ["roc.svg", "precision-recall.svg", "reliability.svg"]
    for path in paths:
        root = ElementTree.fromstring(path.read_text())
        assert any("Mass & more" in (part.text or "") for part in root.iter())
        assert path.stat().st_size < 10_000
