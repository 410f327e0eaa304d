"""The lungs view: black outside the lungs, as large as they go, exposed by them alone."""

from __future__ import annotations

import numpy as np

from ml.imaging.lungs import DARKEST, cut_lungs

SIDE = 200


def chest() -> tuple[np.ndarray, np.ndarray]:
    """A bright film with two darker lungs, and where they are."""
    film = np.full((SIDE, SIDE), 230, np.uint8)
    lungs = np.zeros((100, 100), bool)
    lungs[30:80, 20:40] = lungs[30:80, 60:80] = True
    rows = np.arange(SIDE)[:, None] // 4 + 60
    where = lungs.repeat(2, 0).repeat(2, 1)
    return np.where(where, rows, film).astype(np.uint8), lungs


def test_what_lies_outside_the_lungs_is_black_and_the_lungs_are_not():
    film, lungs = chest()
    view = cut_lungs(film, lungs, size=128)
    assert view.shape == (128, 128)
    assert view.dtype == np.uint8
    assert view[64, 64] == 0  # between the lungs
    assert view[64, 20] >= DARKEST
    assert view[64, 108] >= DARKEST


def test_the_lungs_fill_the_view():
    view = cut_lungs(*chest(), size=128)
    columns = np.flatnonzero((view > 0).any(0))
    rows = np.flatnonzero((view > 0).any(1))
    assert columns[0] <= 6
    assert columns[-1] >= 121
    assert rows[-1] - rows[0] >= 100


def test_exposure_depends_on_the_lungs_alone():
    film, lungs = chest()
    darker = np.where(film == 230, 255, film).astype(np.uint8)
    assert np.array_equal(cut_lungs(film, lungs, size=64), cut_lungs(darker, lungs, size=64))
    half = np.where(film == 230, film, film // 2).astype(np.uint8)
    difference = cut_lungs(film, lungs, size=64).astype(int) - cut_lungs(half, lungs, size=64)
    assert np.abs(difference).max() <= 12  # the greys of half the range are coarser


def test_lungs_at_the_border_leave_black_beyond_it():
    film = np.full((100, 100), 100, np.uint8)
    lungs = np.zeros((100, 100), bool)
    lungs[0:100, 0:30] = True
    view = cut_lungs(film, lungs, size=50)
    assert (view[:, :10] == 0).all()
    assert (view[20:30, 20:25] > 0).all()


def test_a_film_without_lungs_is_given_whole():
    film, _ = chest()
    view = cut_lungs(film, np.zeros((100, 100), bool), size=100)
    assert view[50, 50] == 230
