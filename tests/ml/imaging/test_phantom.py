"""Drawn phantoms are repeatable and tell the truth about themselves."""

from __future__ import annotations

import numpy as np

from ml.imaging.phantom import HEART, LEFT_LUNG, RIGHT_LUNG, draw_phantom


def test_the_same_seed_draws_the_same_film():
    assert np.array_equal(draw_phantom(4, 128).film, draw_phantom(4, 128).film)
    assert not np.array_equal(draw_phantom(4, 128).film, draw_phantom(5, 128).film)


def test_lungs_are_darker_than_the_heart_between_them():
    film, _, masks = draw_phantom(1, 256)
    assert film[masks == LEFT_LUNG].mean() < film[masks == HEART].mean() - 0.2
    columns = {code: np.nonzero(masks == code)[1].mean() for code in (RIGHT_LUNG, HEART, LEFT_LUNG)}
    assert columns[RIGHT_LUNG] < columns[HEART] < columns[LEFT_LUNG]


def test_a_lesion_is_brighter_in_its_box_than_the_same_film_without_it():
    plain, lesion = draw_phantom(7, 256), draw_phantom(7, 256, lesions=1)
    x0, y0, x1, y1 = (lesion.boxes[0] * 256).astype(int)
    inside = lesion.film[y0:y1, x0:x1] - plain.film[y0:y1, x0:x1]
    assert inside.mean() > 0.05
    assert lesion.boxes.shape == (1, 4)
    assert plain.boxes.shape == (0, 4)
