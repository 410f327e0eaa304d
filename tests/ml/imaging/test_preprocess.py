"""The numbered preprocessings keep their meaning."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ml.imaging.phantom import draw_phantom
from ml.imaging.preprocess import prepare


def test_a_film_is_squashed_to_a_square_of_8_bits():
    film = draw_phantom(1, 300).film[:, :200]
    square = prepare(film, size=64, number=1)
    assert square.shape == (64, 64)
    assert square.dtype == np.uint8
    assert (square.min(), square.max()) == (0, 255)


@pytest.mark.parametrize(("scale", "offset"), [(255.0, 0.0), (4095.0, 0.0), (0.3, 0.2)])
def test_the_scale_of_the_greys_changes_nothing(scale, offset):
    film = draw_phantom(2, 256).film
    ours, theirs = (prepare(f, size=64, number=1) for f in (film, film * scale + offset))
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_a_film_of_twice_the_resolution_looks_the_same():
    film = draw_phantom(3, 256).film
    large = cv2.resize(film, (512, 512), interpolation=cv2.INTER_NEAREST)
    ours, theirs = (prepare(f, size=64, number=1).astype(int) for f in (film, large))
    assert np.abs(ours - theirs).max() <= 2


def test_a_few_glaring_pixels_do_not_darken_the_film():
    film = draw_phantom(4, 256).film
    marked = film.copy()
    marked[:10, :10] = 20.0
    difference = prepare(marked, size=64, number=1).astype(int) - prepare(film, size=64, number=1)
    assert np.abs(difference[4:]).max() <= 6


def test_a_blank_film_stays_blank():
    assert np.unique(prepare(np.full((90, 80), 0.5, np.float32), size=32, number=1)).size == 1


def test_number_2_equalises_contrast_locally():
    film = draw_phantom(5, 256).film
    dark = film.copy()
    dark[:, :128] *= 0.3
    plain, equalised = (prepare(dark, size=128, number=number) for number in (1, 2))
    assert equalised[:, 10:54].std() > plain[:, 10:54].std()


def test_an_unknown_number_is_a_fault():
    with pytest.raises(KeyError):
        prepare(np.zeros((9, 9), np.float32), size=8, number=99)


def test_number_1_gives_what_it_gave_when_networks_were_trained():
    ramp = np.linspace(0, 1, 64, dtype=np.float32)
    film = np.outer(ramp, ramp)
    found = prepare(film, size=4, number=1)
    assert found.tolist() == [
        [4, 12, 21, 29], [12, 39, 65, 92], [21, 65, 110, 154], [29, 92, 154, 216],
    ]  # fmt: skip
