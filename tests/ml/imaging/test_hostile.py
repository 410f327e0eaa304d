"""Every hostile file has a clear answer, in bounded time, and says nothing to the log."""

from __future__ import annotations

import time

import pytest

from ml.imaging.decode import decode, read_header
from ml.refusal import DECODE_CODES, Refusal
from tests.ml.imaging import hostile_dicom, hostile_other, hostile_raster
from tests.ml.imaging.hostile import OPENS, hostile_files

MAKERS = {**hostile_other.FILES, **hostile_raster.FILES, **hostile_dicom.FILES}


def _answer(data: bytes, *, with_pixels: bool = True) -> str:
    try:
        if not with_pixels:
            assert read_header(data).width > 0
            return OPENS
        film = decode(data)
    except Refusal as refusal:
        return refusal.code
    assert 0 <= float(film.pixels.min()) <= float(film.pixels.max()) <= 1
    return OPENS


@pytest.mark.parametrize("name", MAKERS)
def test_a_hostile_file_has_its_answer(name, caplog, capfd):
    make, codes = MAKERS[name]
    data = make()
    started = time.monotonic()
    assert _answer(data) in codes
    assert _answer(data, with_pixels=False) in codes
    assert time.monotonic() - started < 40
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_the_list_has_more_than_sixty_kinds_and_only_known_codes():
    files = list(hostile_files())
    assert len(files) > 60
    assert len({file.name for file in files}) == len(files)
    for file in files:
        assert file.codes <= DECODE_CODES | {OPENS}
