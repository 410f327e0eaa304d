"""Altered films: what the page says of them, and that alterations alter what they name."""

from pathlib import Path

import numpy as np
import pytest

from ml.bundle import WEIGHTS, load_release
from ml.read import load_reader
from ml.training.data import Film
from ml.training.robustness import ALTERATIONS, compare, repeats
from ml.training.robustness_table import STORED, lines_of, robustness_lines
from ml.training.yardstick_table import yardstick_lines
from tests.ml import tiny

FIGURES = {
    "command": "python -m ml evaluate robustness",
    "classifier": "1",
    "films": 10,
    "alterations": {
        "gamma 2": {
            "mean AUC": 0.7,
            "change": {"value": -0.02, "low": -0.04, "high": 0.01},
            "refused": 0.1,
        }
    },
    "repeated": {"films": 3, "identical": True},
}


def ramp() -> np.ndarray:
    return np.tile(np.linspace(0, 1, 512, dtype=np.float32), (400, 1))


def test_a_line_shows_what_an_alteration_costs() -> None:
    lines = lines_of(FIGURES)
    assert "| gamma 2 | 0.700 | -0.020 (-0.040 to +0.010) | 10.0 % |" in lines
    assert lines[-1].endswith("the same to the last bit.")


def test_what_is_not_stored_has_no_lines(tmp_path: Path) -> None:
    assert robustness_lines(tmp_path / "none.json") == []
    assert yardstick_lines(tmp_path / "none.json") == []


@pytest.mark.parametrize("name", sorted(ALTERATIONS))
def test_an_alteration_keeps_greys_in_range_and_changes_the_film(name: str) -> None:
    film = ramp()
    altered = ALTERATIONS[name](film, np.random.default_rng(0))
    assert altered.min() >= 0
    assert altered.max() <= 1 + 1e-6
    same = altered.shape == film.shape and np.array_equal(altered, film)
    assert same == (name == "as it is")


def test_the_film_is_scaled_down_to_256_px_on_its_short_side() -> None:
    scaled = ALTERATIONS["short side scaled down to 256 px"](ramp(), np.random.default_rng(0))
    assert min(scaled.shape) == 256
    assert scaled.shape[1] / scaled.shape[0] == pytest.approx(512 / 400, rel=0.01)


def test_worse_logits_lose_area() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((300, 13)) < 0.3
    good = truth + rng.normal(0, 0.5, truth.shape)
    bad = rng.normal(0, 1, truth.shape)
    found = compare(truth, good, bad, [str(i) for i in range(300)])
    assert found["change"]["high"] < -0.1
    assert found["mean AUC"] == pytest.approx(0.5, abs=0.05)


def test_two_readers_of_one_release_agree_to_the_last_bit(tmp_path: Path) -> None:
    tiny.build_release(tmp_path)
    path = tmp_path / "film.png"
    import cv2

    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 180, (120, 100), np.uint8))
    film = Film(path, "film", "1", frozenset(), "test", "films")
    readers = (load_reader(weights=tmp_path), load_reader(weights=tmp_path))
    assert repeats(*readers, [film])


@pytest.mark.skipif(not STORED.exists(), reason="nothing was measured yet")
def test_the_stored_figures_are_those_of_the_shipped_classifier() -> None:
    release = load_release(weights=WEIGHTS)
    assert f"by classifier {release.bundles['classifier'].spec.version};" in robustness_lines()[0]
