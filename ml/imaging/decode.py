"""From a file's bytes to a film: the one door through which every picture enters."""

from __future__ import annotations

from typing import Any

from ml.imaging.formats import sniff_format
from ml.imaging.radiograph import (
    ALL_PIXELS,
    HEADER,
    PICTURE_PX,
    Header,
    Limits,
    Radiograph,
)
from ml.imaging.sandbox import Contents, close_helpers, shared_sandbox
from ml.refusal import Refusal

__all__ = [
    "DEFAULT_LIMITS",
    "PICTURE_PX",
    "Header",
    "Limits",
    "Radiograph",
    "close_helpers",
    "decode",
    "read_header",
    "warm_up",
]

DEFAULT_LIMITS = Limits()


def read_header(data: Contents, *, limits: Limits = DEFAULT_LIMITS) -> Header:
    """Prove that the bytes are a film that `decode` opens, and say what the file tells of it.

    A header may be sound where its pixels are not: they are decoded and thrown away, but for
    uncompressed DICOM, whose length and first rows tell as much.

    raises: Refusal with one of DECODE_CODES
    """
    _check_bytes(data, limits=limits)
    answer, _ = shared_sandbox().open(data, limits=limits, wanted=HEADER)
    return _to_header(answer["header"])


def decode(
    data: Contents, *, longest: int | None = None, limits: Limits = DEFAULT_LIMITS
) -> Radiograph:
    """Open a film: pixels as grey in 0..1, upright, with what the file tells of it.

    longest: the longer side shrinks to so many pixels by area means; None keeps all pixels
    raises: Refusal with one of DECODE_CODES
    """
    _check_bytes(data, limits=limits)
    answer, film = shared_sandbox().open(data, limits=limits, wanted=longest or ALL_PIXELS)
    assert film is not None
    corrections = tuple(str(code) for code in answer["corrections"])
    return Radiograph(film, _to_header(answer["header"]), corrections)


def warm_up() -> None:
    """Start a helper process now, so that the first film does not wait for it."""
    shared_sandbox().warm_up()


def _check_bytes(data: Contents, *, limits: Limits) -> None:
    if len(data) > limits.file_bytes:
        raise Refusal("too_large", size=len(data), limit=limits.file_bytes)
    sniff_format(data)


def _to_header(fields: dict[str, Any]) -> Header:
    spacing = fields.pop("pixel_spacing_mm", None)
    return Header(**fields, pixel_spacing_mm=(spacing[0], spacing[1]) if spacing else None)
