"""Pictures for people keep the film's shape, its greys and the colours that were asked for."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from PIL import Image

from ml.imaging.phantom import draw_phantom
from ml.imaging.render import (
    ORGANS,
    PICTURE_PX,
    RED,
    BoxMark,
    draw_boxes,
    draw_film,
    draw_map,
    draw_outlines,
    encode_png,
    fit_size,
)

FILM = draw_film(draw_phantom(1, 400).film)


def test_a_large_film_shrinks_to_its_picture_and_keeps_its_aspect():
    picture = draw_film(np.zeros((3000, 2500), np.float32))
    assert picture.shape == (1024, 853)
    assert picture.dtype == np.uint8


def test_a_small_film_is_not_enlarged():
    assert FILM.shape == (400, 400)


@pytest.mark.parametrize("size", [(1, 40000), (40000, 1), (1, 1), (1024, 1025)])
def test_no_side_is_longer_than_a_picture_or_empty(size):
    width, height = fit_size(*size)
    assert min(width, height) >= 1
    assert max(width, height) <= PICTURE_PX


def test_greys_keep_their_values():
    ramp = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (256, 1))
    assert np.array_equal(draw_film(ramp)[0], np.arange(256))


def test_a_box_is_red_along_its_edge_and_the_film_inside():
    picture = draw_boxes(FILM, [BoxMark("Nodule", (0.25, 0.5, 0.5, 0.75), 0.5)])
    assert picture.shape == (400, 400, 3)
    assert tuple(picture[250, 100]) == RED
    assert tuple(picture[299, 150]) == RED
    assert np.array_equal(picture[250, 150], [FILM[250, 150]] * 3)


def test_a_caption_stays_on_the_film():
    marks = [BoxMark("Pleural_Thickening", (0.95, 0.0, 1.0, 0.02), 0.07)]
    picture = draw_boxes(FILM, marks)
    red = np.all(picture == RED, axis=2)
    assert red[:40, 200:].sum() > 1000


@pytest.mark.parametrize("box", [(0.9, 0.9, 0.1, 0.1), (-3, -3, 5, 5), (0.5, 0.5, 0.5, 0.5)])
def test_odd_boxes_are_drawn_within_the_film(box):
    assert draw_boxes(FILM, [BoxMark("Mass", box)]).shape == (400, 400, 3)


def test_outlines_follow_the_masks_of_a_coarser_film():
    phantom = draw_phantom(1, 100)
    picture = draw_outlines(FILM, phantom.masks)
    for label, (_, colour) in ORGANS.items():
        rows, columns = np.nonzero(np.abs(picture - np.array(colour)).max(axis=2) < 60)
        inside = np.argwhere(phantom.masks == label) * 4
        assert abs(rows.mean() - inside[:, 0].mean()) < 40
        assert abs(columns.mean() - inside[:, 1].mean()) < 40


def test_a_map_takes_the_films_shape_and_full_range():
    heat = np.zeros((7, 7), np.float32)
    heat[3, 3] = 1
    grey = draw_map(heat, width=300, height=200)
    assert grey.shape == (200, 300)
    assert grey[100, 150] > 200
    assert grey[0, 0] == 0


def test_a_map_with_no_numbers_is_cold():
    assert draw_map(np.full((4, 4), np.nan, np.float32), width=8, height=8).max() == 0


@pytest.mark.parametrize("shape", [(30, 40), (30, 40, 3)])
def test_png_keeps_every_value(shape):
    picture = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_png(picture)))), picture)


def test_the_boxed_picture_is_quick():
    film = draw_film(draw_phantom(2, 1024).film)
    marks = [BoxMark("Effusion", (0.1, 0.1 * i, 0.4, 0.1 * i + 0.2), 0.5) for i in range(5)]
    encode_png(draw_boxes(film, marks))
    started = time.process_time()
    encode_png(draw_boxes(film, marks))
    assert time.process_time() - started < 0.15
