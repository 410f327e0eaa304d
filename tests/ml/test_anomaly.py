"""The anomaly score as a percentile of normal films, and its error map."""

from pathlib import Path

import numpy as np
import pytest

from ml.anomaly import THROUGH_PX, look_for_anomaly, read_percentile, shrink
from ml.bundle import load_bundle
from ml.runtime import load_graph
from tests.ml import tiny

TABLE = {"distance": [1.0, 2.0, 3.0], "log_beyond": [0.0, float(np.log(0.5)), float(np.log(0.1))]}


@pytest.mark.parametrize(("distance", "percent"), [(0.5, 0.0), (2.0, 50.0), (3.0, 90.0)])
def test_a_distance_reads_as_the_share_of_normal_films_below_it(
    distance: float, percent: float
) -> None:
    assert read_percentile(distance, TABLE) == pytest.approx(percent)


def test_the_order_of_very_unusual_films_stays() -> None:
    scores = [read_percentile(distance, TABLE) for distance in (3.0, 4.0, 6.0, 9.0)]
    assert scores == sorted(set(scores))
    assert scores[-1] < 100


@pytest.mark.parametrize("member", ["unet", "reversed_ae"])
def test_a_film_with_more_texture_is_more_unusual(tmp_path: Path, member: str) -> None:
    tiny.build_release(tmp_path)
    bundle = load_bundle(tmp_path, member, tiny.VERSION)
    graph = load_graph(bundle)
    rng = np.random.default_rng(0)
    even = np.full((THROUGH_PX, THROUGH_PX), 120, np.uint8)
    coarse = np.kron(rng.integers(0, 256, (56, 56)), np.ones((4, 4))).astype(np.uint8)
    calm = look_for_anomaly(bundle.spec, graph, even)
    rough = look_for_anomaly(bundle.spec, graph, coarse)
    assert rough.score > calm.score
    assert rough.error.shape == (tiny.SIZE, tiny.SIZE)
    assert rough.error.min() >= 0
    assert rough.error.max() <= 1


def test_shrinking_keeps_the_mean_grey() -> None:
    film = np.random.default_rng(1).integers(0, 256, (THROUGH_PX, THROUGH_PX)).astype(np.uint8)
    assert shrink(film, size=32).mean() == pytest.approx(film.mean(), abs=1)
