"""PNG, JPEG, WebP and TIFF to films; called inside the helper process only."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from ml.imaging.greys import stretch, to_unit
from ml.imaging.orient import turn_upright
from ml.imaging.radiograph import Header, Limits, Radiograph
from ml.refusal import Refusal

EXIF_ORIENTATION = 0x0112
TIFF_PHOTOMETRIC, TIFF_WHITE_IS_ZERO = 262, 0

# where columns and rows run (orient.py), by EXIF 2.32 section 4.6.4
_EXIF_DIRECTIONS = {
    2: "RF",
    3: "RH",
    4: "LH",
    5: "FL",
    6: "FR",
    7: "HR",
    8: "HL",
}
_BITS_OF_MODE = {"1": 1, "I;16": 16, "I;16B": 16, "I;16L": 16, "I": 32, "F": 32}


def open_raster(data: bytes, *, format: str, limits: Limits) -> Radiograph:
    """Open a file whose format is known.

    raises: Refusal
    """
    if format == "webp" and int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise Refusal("truncated")
    if format == "jpeg" and (precision := _jpeg_beyond_baseline(data)):
        return _open_wide_jpeg(data, bits=precision, limits=limits)
    with (
        _library_faults_as_refusals(),
        Image.open(io.BytesIO(data), formats=[format.upper()]) as picture,
    ):
        _check_limits(picture, packed=len(data), format=format, limits=limits)
        picture.load()
        inverted = _white_is_zero(picture)
        stored, bits = _to_grey(picture)
        orientation = _read_orientation(picture)
    return _finish(stored, bits=bits, format=format, orientation=orientation, inverted=inverted)


def _check_limits(picture: Image.Image, *, packed: int, format: str, limits: Limits) -> None:
    width, height = picture.size
    check_size(width, height, limits=limits)
    bytes_per_pixel = max(_BITS_OF_MODE.get(picture.mode, 8) // 8, 1) * len(picture.getbands())
    check_inflation(width * height * bytes_per_pixel, packed=packed, limits=limits)
    # JPEG: a second picture behind the first (MPO of phones) is a preview, and not looked at
    if format != "jpeg" and _has_frame(picture, limits.frames):
        raise Refusal("too_many_frames", limit=limits.frames)


def check_size(width: int, height: int, *, limits: Limits) -> None:
    """Refuse what has no pixels or too many."""
    if width < 1 or height < 1:
        raise Refusal("no_pixels")
    if width * height > limits.pixels:
        raise Refusal("too_many_pixels", width=width, height=height, limit=limits.pixels)


def check_inflation(unpacked: int, *, packed: int, limits: Limits) -> None:
    """Refuse what grows too far when unpacked (sizes in bytes)."""
    bomb = unpacked > limits.inflate_floor_bytes and unpacked > packed * limits.inflate_ratio
    if unpacked > limits.inflated_bytes or bomb:
        raise Refusal("inflates_too_far", unpacked=unpacked, packed=packed)


def _has_frame(picture: Image.Image, index: int) -> bool:
    """Tell whether there is a frame of that number, without walking to the last one."""
    if (counted := getattr(picture, "n_frames", 1)) <= 1 and picture.format != "TIFF":
        return False
    if picture.format != "TIFF":
        return int(counted) > index
    try:
        picture.seek(index)
    except EOFError:
        picture.seek(0)
        return False
    return True


def _white_is_zero(picture: Image.Image) -> bool:
    """Tell whether a TIFF of more than 8 bits is stored as a negative, which Pillow leaves so."""
    tags = getattr(picture, "tag_v2", None)
    deep = picture.mode.startswith(("I", "F"))
    return bool(tags and deep and tags.get(TIFF_PHOTOMETRIC) == TIFF_WHITE_IS_ZERO)


def _to_grey(picture: Image.Image) -> tuple[npt.NDArray[np.generic], int]:
    """Turn a loaded picture into grey values of one channel, and say how many bits they have."""
    mode = picture.mode
    if mode in ("1", "L"):
        return np.asarray(picture.convert("L")), 1 if mode == "1" else 8
    if mode in _BITS_OF_MODE:
        return np.asarray(picture), _BITS_OF_MODE[mode]
    if mode in ("RGBA", "LA", "La", "PA", "RGBa") or "transparency" in picture.info:
        # see-through parts are dark, as no light comes through an unexposed film's frame
        picture = Image.alpha_composite(
            Image.new("RGBA", picture.size, (0, 0, 0, 255)), picture.convert("RGBA")
        )
    return np.asarray(picture.convert("RGB").convert("L")), 8


def _read_orientation(picture: Image.Image) -> str:
    try:
        value = picture.getexif().get(EXIF_ORIENTATION)
    except Exception:  # a broken EXIF block says nothing; the pixels are sound
        return "LF"
    return _EXIF_DIRECTIONS.get(value, "LF") if isinstance(value, int) else "LF"


def _finish(
    stored: npt.NDArray[np.generic], *, bits: int, format: str, orientation: str, inverted: bool
) -> Radiograph:
    corrections = []
    stored, turned = turn_upright(stored, orientation)
    corrections += turned
    if bits <= 8:
        pixels = to_unit(stored, top=255)
    else:
        pixels = stretch(stored)
        corrections.append("stretched")
    if inverted:
        np.subtract(1, pixels, out=pixels)
        corrections.append("inverted")
    height, width = pixels.shape
    header = Header(format=format, width=width, height=height, frames=1, bits=bits)
    return Radiograph(pixels, header, tuple(corrections))


def _jpeg_beyond_baseline(data: bytes) -> int | None:
    """Find the bits per pixel of a JPEG that Pillow cannot open (12 bits, lossless, JPEG-LS)."""
    for marker, segment in _jpeg_segments(data):
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            bits = segment[0] if segment else 0
            plain = marker in (0xC0, 0xC1, 0xC2) and bits == 8
            return None if plain or not 2 <= bits <= 16 else bits
    return None


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        yield marker, data[position + 4 : position + 2 + length]
        if marker == 0xDA or length < 2:
            return
        position += 2 + length


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Read (width, height) from a JPEG's or JPEG-LS's frame header."""
    for marker, segment in _jpeg_segments(data):
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            if len(segment) < 5:
                return None
            return int.from_bytes(segment[3:5], "big"), int.from_bytes(segment[1:3], "big")
    return None


def _open_wide_jpeg(data: bytes, *, bits: int, limits: Limits) -> Radiograph:
    from libjpeg.utils import decode as decode_jpeg

    width, height = jpeg_size(data) or (0, 0)
    check_size(width, height, limits=limits)
    check_inflation(width * height * 2, packed=len(data), limits=limits)
    if not data.rstrip(b"\x00").endswith(b"\xff\xd9"):
        raise Refusal("truncated")
    stored = np.asarray(decode_jpeg(data))
    if stored.ndim == 3:
        stored = np.asarray(cv2.cvtColor(stored, cv2.COLOR_RGB2GRAY))
    return _finish(stored, bits=bits, format="jpeg", orientation="LF", inverted=False)


@contextmanager
def _library_faults_as_refusals() -> Iterator[None]:
    """Put Pillow's many exceptions into our few codes."""
    try:
        yield
    except (Refusal, MemoryError, RecursionError):
        raise
    except Image.DecompressionBombError as fault:
        raise Refusal("too_many_pixels") from fault
    except (UnidentifiedImageError, EOFError, OSError, ValueError) as fault:
        text = str(fault).lower()
        if "decompressed data too large" in text or "max_text_memory" in text:
            raise Refusal("inflates_too_far") from fault
        cut = isinstance(fault, EOFError) or any(
            word in text for word in ("truncated", "end of file", "unexpected eof", "not enough")
        )
        raise Refusal("truncated" if cut else "unreadable") from fault
