"""What decoding yields: the film's header and its pixels, and the limits that it keeps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MEBIBYTE = 1024 * 1024
# longer side of every stored picture, and of what the networks look at
PICTURE_PX = 1024
# what is wanted of a file instead of a film of so many pixels
HEADER, ALL_PIXELS = 0, -1


@dataclass(frozen=True)
class Limits:
    """What one file may cost; whatever goes beyond is refused.

    file_bytes: size of the file
    pixels: width x height; the largest flat detectors have about 18 million
    frames: pictures in one file; a radiograph is one
    nesting: DICOM sequences within sequences
    elements: DICOM elements, sequences included
    inflated_bytes: size of the pixels or of a deflated data set once unpacked
    inflate_ratio: unpacked to packed size, looked at only above inflate_floor_bytes, so that
        a small blank film is not taken for a bomb
    memory_bytes: address space of the process that decodes
    seconds: processor time, and twice as much on the clock
    """

    file_bytes: int = 64 * MEBIBYTE
    pixels: int = 40_000_000
    frames: int = 1
    nesting: int = 16
    elements: int = 50_000
    inflated_bytes: int = 256 * MEBIBYTE
    inflate_ratio: int = 250
    inflate_floor_bytes: int = 32 * MEBIBYTE
    memory_bytes: int = 1536 * MEBIBYTE
    seconds: int = 10


@dataclass(frozen=True)
class Header:
    """What a file says of its film.

    format: "png", "jpeg", "webp", "tiff" or "dicom"
    width, height: pixels of the film once it stands upright
    bits: stored bits per pixel
    view: DICOM ViewPosition ("PA", "AP", "LL" …), None where the file is silent
    sop_uid, study_uid, series_uid: None where absent or no valid UID
    pixel_spacing_mm: (between rows, between columns)
    """

    format: str
    width: int
    height: int
    frames: int
    bits: int
    view: str | None = None
    sop_uid: str | None = None
    study_uid: str | None = None
    series_uid: str | None = None
    patient_id: str | None = None
    pixel_spacing_mm: tuple[float, float] | None = None
    age_years: float | None = None
    sex: str | None = None
    modality: str | None = None
    body_part: str | None = None


@dataclass(frozen=True)
class Radiograph:
    """A film ready to be looked at or read.

    pixels: [H, W] float32 in 0..1, 0 is black, upright by the file's own tags; smaller than the
        header says where `decode` was told so
    corrections: codes of what was done to get there, for example "inverted" or "rotated_90"
    """

    pixels: npt.NDArray[np.float32]
    header: Header
    corrections: tuple[str, ...] = ()
