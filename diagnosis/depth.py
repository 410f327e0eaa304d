"""A film at full depth for windowing: 16 bits per pixel, at most 2048 pixels a side.

Layout before gzip: width and height (uint32, little-endian), then of each value's difference from
its left neighbour (uint16, modulo 65536) all low bytes, then all high bytes. That is half the size
of plain values, and the page undoes it in some milliseconds.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt
from django.utils import timezone

from ml.imaging.decode import decode
from ml.imaging.orient import correct, lies_otherwise

from . import films
from .models import Analysis, Film

LONGEST_PX = 2048
PICTURE_PX = 1024
NAME = "depth"
# A reading takes a second or two.
ALONE_AFTER_S = 10
LOST = frozenset({"film_missing", "film_damaged"})
GZIP = 16 + zlib.MAX_WBITS


def adds_to_picture(film: Film) -> bool:
    """Whether the film holds more than its 8-bit picture of at most 1024 pixels shows."""
    return film.bits is None or film.bits > 8 or max(film.width, film.height) > PICTURE_PX


def stands_alone(analysis: Analysis) -> bool:
    """Whether the film is shown though no picture of it was made: a film is seen without a reading.

    So it is where the reading failed or was cancelled, and where it is long in coming.
    """
    if analysis.images.get("film"):
        return False
    if analysis.is_final:
        return analysis.reason not in LOST
    return (timezone.now() - analysis.created_at).total_seconds() > ALONE_AFTER_S


def load(analysis: Analysis) -> bytes:
    """The film of the analysis at full depth, gzipped; made once, on the first look.

    A film that stands alone is made each time: its analysis may still get pictures of its own.
    raises: FilmMissing, FilmDamaged, StorageUnavailable, Refusal
    """
    if stands_alone(analysis):
        return pack(_upright(analysis))
    key = f"{films.picture_folder(analysis.id)}/{analysis.attempt}/{NAME}.gz"
    try:
        return films.load_picture(key)
    except films.FilmMissing:
        packed = pack(_upright(analysis))
        films.store_bytes(key, packed)
        return packed


def pack(pixels: npt.NDArray[np.float32]) -> bytes:
    """Write [H, W] in 0..1 in the layout of this module."""
    stored = np.rint(np.clip(pixels, 0, 1) * 65535).astype(np.uint16)
    differences = np.diff(stored, axis=1, prepend=np.uint16(0)).astype("<u2")
    planes = differences.ravel().view(np.uint8).reshape(-1, 2).T
    squeeze = zlib.compressobj(1, zlib.DEFLATED, GZIP, 9, zlib.Z_FILTERED)
    head = struct.pack("<II", stored.shape[1], stored.shape[0])
    return squeeze.compress(head + np.ascontiguousarray(planes).tobytes()) + squeeze.flush()


def _upright(analysis: Analysis) -> npt.NDArray[np.float32]:
    """The pixels as the pictures of the analysis show them: small enough, turned, inverted."""
    opened = decode(films.load(analysis.film.sha256), longest=LONGEST_PX)
    # What decoding corrects stands first in the list and is in the pixels already.
    return correct(opened.pixels, _corrections(analysis)[len(opened.corrections) :])


def is_turned(analysis: Analysis) -> bool:
    """Whether the gate turned the film by a quarter, so that width and height changed places."""
    return lies_otherwise(_corrections(analysis))


def _corrections(analysis: Analysis) -> list[str]:
    return list((analysis.quality or {}).get("corrections", []))
