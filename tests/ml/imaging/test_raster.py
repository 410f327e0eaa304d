"""Sound PNG, JPEG, WebP and TIFF films come out right."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from ml.imaging.decode import decode, read_header
from tests.ml.imaging.files import drawn_film, picture_bytes


def _close(film, expected, tolerance=0.002):
    assert film.shape == expected.shape
    return bool(np.abs(film - expected).max() <= tolerance)


@pytest.mark.parametrize(
    ("format", "options", "tolerance"),
    [
        ("PNG", {}, 0.002),
        ("WEBP", {"lossless": True}, 0.02),
        ("TIFF", {}, 0.002),
        ("TIFF", {"compression": "tiff_lzw"}, 0.002),
        ("TIFF", {"compression": "tiff_adobe_deflate"}, 0.002),
        ("JPEG", {"quality": 98}, 0.12),
        ("JPEG", {"quality": 98, "progressive": True}, 0.12),
    ],
)
def test_grey_films_come_out_as_drawn(format, options, tolerance):
    data = picture_bytes(drawn_film(), format, **options)
    film = decode(data)
    assert _close(film.pixels, drawn_film() / 255, tolerance)
    assert film.header.format == format.lower()
    assert film.header == read_header(data)
    assert film.corrections == ()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA"])
def test_colour_modes_become_grey(mode):
    picture = Image.fromarray(drawn_film()).convert(mode)
    assert _close(decode(picture_bytes(picture, "PNG")).pixels, drawn_film() / 255, 0.02)


def test_cmyk_becomes_grey():
    picture = Image.fromarray(drawn_film()).convert("CMYK")
    assert _close(decode(picture_bytes(picture, "TIFF")).pixels, drawn_film() / 255, 0.02)


def test_see_through_parts_are_black():
    picture = Image.fromarray(np.full((40, 40), 200, np.uint8)).convert("LA")
    picture.putalpha(0)
    assert decode(picture_bytes(picture, "PNG")).pixels.max() == 0


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_are_stretched_to_what_the_film_uses(format):
    stored = drawn_film(top=4095)
    film = decode(picture_bytes(stored, format))
    assert film.corrections == ("stretched",)
    assert film.header.bits == 16
    assert film.pixels.max() == 1
    assert np.corrcoef(film.pixels.ravel(), stored.ravel())[0, 1] > 0.999


def test_a_tiff_whose_zero_is_white_is_inverted():
    stored = drawn_film(top=4095)
    film = decode(picture_bytes(stored, "TIFF", tiffinfo={262: 0}))
    upright = decode(picture_bytes(stored, "TIFF"))
    assert _close(film.pixels, 1 - upright.pixels)
    assert "inverted" in film.corrections


def test_one_bit_pictures_are_black_and_white():
    picture = Image.fromarray(drawn_film()).convert("1")
    film = decode(picture_bytes(picture, "PNG"))
    assert set(np.unique(film.pixels)) == {0, 1}
    assert film.header.bits == 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation_turns_the_film_upright(orientation, format):
    picture = Image.fromarray(drawn_film())
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if format == "WEBP" else {}
    data = picture_bytes(picture, format, exif=exif, **options)
    picture.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(picture)) / 255
    film = decode(data)
    assert _close(film.pixels, expected, 0.2 if format == "JPEG" else 0.02)
    if format != "TIFF":  # there the library turns it before we see it
        assert bool(film.corrections) == (orientation != 1)


def test_the_name_of_a_file_plays_no_part():
    assert decode(picture_bytes(drawn_film(), "WEBP", lossless=True)).header.format == "webp"
