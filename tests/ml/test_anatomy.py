"""Lungs and heart: cleaning, measures, and what does not look like a chest."""

from pathlib import Path

import numpy as np
import pytest

from ml.anatomy import (
    clean_regions,
    find_faults,
    largest_part,
    measure_regions,
    outline,
    settle_regions,
)
from ml.bundle import load_bundle
from ml.imaging.phantom import draw_phantom
from ml.runtime import load_graph
from tests.ml import tiny


def drawn_regions() -> np.ndarray:
    return draw_phantom(3, 128).masks


def test_only_the_largest_part_stays_and_its_holes_are_filled() -> None:
    mask = np.zeros((40, 40), bool)
    mask[5:25, 5:25] = True
    mask[10:14, 10:14] = False
    mask[30:33, 30:33] = True
    cleaned = largest_part(mask)
    assert cleaned[5:25, 5:25].all()
    assert cleaned.sum() == 400


def test_an_empty_mask_stays_empty() -> None:
    assert not largest_part(np.zeros((8, 8), bool)).any()


def test_specks_of_a_region_elsewhere_are_dropped() -> None:
    truth = drawn_regions()
    probability = np.stack([(truth == index) for index in range(4)]).astype(np.float32)
    probability[:, :3, :3] = np.array([0, 1, 0, 0], np.float32)[:, None, None]
    assert not clean_regions(probability)[:3, :3].any()


def test_a_drawn_chest_is_plausible_and_measured() -> None:
    truth = drawn_regions()
    anatomy = measure_regions(truth)
    assert anatomy.implausible == ()
    assert anatomy.lung_fraction == pytest.approx(np.isin(truth, (1, 2)).mean())
    assert 0.2 < (anatomy.cardiothoracic_ratio or 0) < 0.8


def test_a_wider_heart_gives_a_greater_ratio() -> None:
    regions = np.zeros((100, 100), np.uint8)
    regions[10:80, 10:40], regions[10:80, 60:90] = 2, 1
    regions[50:80, 40:60] = 3
    narrow = measure_regions(regions).cardiothoracic_ratio
    regions[50:80, 30:70] = 3
    wide = measure_regions(regions).cardiothoracic_ratio
    assert narrow == pytest.approx(20 / 80)
    assert wide == pytest.approx(40 / 80)


def test_lungs_on_the_wrong_sides_are_not_plausible() -> None:
    swapped = np.array([0, 2, 1, 3], np.uint8)[drawn_regions()]
    assert "lungs_swapped" in find_faults(swapped)


def test_no_ratio_is_given_where_the_heart_is_missing() -> None:
    regions = drawn_regions().copy()
    regions[regions == 3] = 0
    anatomy = measure_regions(regions)
    assert anatomy.cardiothoracic_ratio is None
    assert anatomy.implausible == ("heart_area",)


def one_hot(regions: np.ndarray) -> np.ndarray:
    return np.stack([(regions == index) for index in range(4)]).astype(np.float32)


def test_a_plausible_outline_is_taken_at_once() -> None:
    def run(_: np.ndarray) -> np.ndarray:
        raise AssertionError("looked again")

    truth = drawn_regions()
    film = np.zeros(truth.shape, np.uint8)
    assert np.array_equal(settle_regions(one_hot(truth), film, run), clean_regions(one_hot(truth)))


def test_a_film_is_looked_at_again_where_its_outline_is_not_plausible() -> None:
    truth = drawn_regions()
    film = np.tile(np.arange(128, dtype=np.uint8), (128, 1))
    looks = []

    def run(look: np.ndarray) -> np.ndarray:
        """Finds the chest on the mirrored film alone, with the sides of a mirrored chest."""
        looks.append(look)
        swapped = np.array([0, 2, 1, 3])[truth[:, ::-1]]
        return one_hot(swapped if look[0, 0] > look[0, -1] else np.zeros_like(truth))

    missed = one_hot(np.zeros_like(truth))
    assert np.array_equal(settle_regions(missed, film, run), clean_regions(one_hot(truth)))
    assert len(looks) == 1


def test_the_first_outline_stays_where_no_look_is_plausible() -> None:
    truth = drawn_regions()
    no_heart = np.where(truth == 3, 0, truth)
    looks = []

    def run(look: np.ndarray) -> np.ndarray:
        looks.append(float(look.mean()))
        return one_hot(np.zeros_like(truth))

    film = np.full(truth.shape, 128, np.uint8)
    assert np.array_equal(settle_regions(one_hot(no_heart), film, run), no_heart)
    as_it_is, darker, lighter = looks
    assert darker < as_it_is < lighter


def test_a_film_is_outlined_by_a_bundle(tmp_path: Path) -> None:
    tiny.build_release(tmp_path)
    bundle = load_bundle(tmp_path, "anatomy", tiny.VERSION)
    film = np.full((tiny.SIZE, tiny.SIZE), 90, np.uint8)
    anatomy = outline(bundle.spec, load_graph(bundle), film)
    assert anatomy.regions.shape == (tiny.SIZE, tiny.SIZE)
    assert set(np.unique(anatomy.regions)) == {0, 1, 2, 3}
