"""From stored values to grey in 0..1.

Every step works on one value at a time, so it is done once per possible value (a table) and not
once per pixel wherever a pixel has at most 16 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.generic]
Film = npt.NDArray[np.float32]

# the share of a film's pixels that may lie outside the displayed range at either end
STRETCH_PERCENTILES = (0.1, 99.9)
# every n-th pixel of every n-th row is enough for percentiles
SAMPLING_STEP = 4
# a window is kept while it leaves at least this share of the film neither black nor white
MIN_SHARE_BETWEEN = 0.05


def map_values(stored: Pixels, change: Callable[[Values], Values]) -> Film:
    """Apply `change` to every pixel, by a table where the type has at most 16 bits.

    stored: [H, W], integers or floats
    change: [N] stored values -> [N] grey values
    returns: [H, W] float32
    """
    kind = stored.dtype
    if kind.kind in "iu" and kind.itemsize <= 2:
        unsigned = np.dtype(f"u{kind.itemsize}")
        codes = np.arange(np.iinfo(unsigned).max + 1, dtype=unsigned)
        native = kind.newbyteorder("=")
        table = change(codes.view(native).astype(np.float64)).astype(np.float32)
        film: Film = table[stored.astype(native, copy=False).view(unsigned)]
        return film
    flat = change(stored.astype(np.float64).ravel())
    return flat.astype(np.float32).reshape(stored.shape)


def to_unit(stored: Pixels, *, top: float) -> Film:
    """Map 0..top onto 0..1."""
    return map_values(stored, lambda values: np.clip(values / top, 0, 1))


def stretch(stored: Pixels) -> Film:
    """Map the film's own range onto 0..1."""
    bottom, top = find_range(sample(stored).astype(np.float64))
    return map_values(stored, lambda values: ramp(values, bottom=bottom, top=top))


def sample(stored: Pixels) -> Pixels:
    """Take a sixteenth of a film's pixels, or all of a small film's."""
    step = SAMPLING_STEP if min(stored.shape) >= 64 * SAMPLING_STEP else 1
    return stored[::step, ::step].ravel()


def find_range(values: Values) -> tuple[float, float]:
    """Find the values that become black and white.

    values: [N]; what is not finite is left out
    returns: (bottom, top), top > bottom also where all values are equal
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    bottom, top = np.percentile(finite, STRETCH_PERCENTILES)
    if top <= bottom:
        bottom, top = finite.min(), finite.max()
    return float(bottom), float(top) if top > bottom else float(bottom) + 1.0


def ramp(values: Values, *, bottom: float, top: float) -> Values:
    """Map bottom..top onto 0..1 and clip; what is no number becomes black."""
    with np.errstate(all="ignore"):
        grey = (values - bottom) / (top - bottom)
    return np.asarray(np.clip(np.nan_to_num(grey, nan=0.0, posinf=1.0, neginf=0.0), 0, 1))


def window(values: Values, *, center: float, width: float, function: str) -> Values:
    """Map values to grey by a VOI window.

    values: [N] in modality units
    function: LINEAR, LINEAR_EXACT or SIGMOID
    returns: [N] in 0..1
    raises: ValueError where the width is not positive, or below 1 for LINEAR
    source: DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3
    """
    if not np.isfinite((center, width)).all() or width <= 0:
        raise ValueError("a window needs a positive width")
    if function == "SIGMOID":
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(-4 * (values - center) / width)))
    if function == "LINEAR_EXACT":
        return ramp(values, bottom=center - width / 2, top=center + width / 2)
    if width < 1:
        raise ValueError("a linear window needs a width of at least 1")
    if width == 1:
        return np.asarray((values > center - 0.5).astype(np.float64))
    bottom = center - 0.5 - (width - 1) / 2
    return ramp(values, bottom=bottom, top=bottom + width - 1)


def read_table(descriptor: Any, data: Any) -> tuple[Values, int, int]:
    """Read a modality or VOI LUT.

    descriptor: (number of entries, first value mapped, bits per entry)
    data: the entries as bytes, or as a list of numbers
    returns: (entries [N], first value mapped, bits per entry)
    raises: ValueError where descriptor and data do not fit each other
    source: DICOM PS3.3 C.11.1.1.1
    """
    count, first, bits = (int(number) for number in descriptor)
    count = count or 65536
    if isinstance(data, bytes):
        width = 2 if len(data) >= 2 * count else 1
        entries = np.frombuffer(data[: len(data) // width * width], f"<u{width}")
    else:
        entries = np.atleast_1d(np.asarray(data, np.int64)) & 0xFFFF
    if not 8 <= bits <= 16 or count > entries.size or count > 65536:
        raise ValueError("the table is shorter than it says")
    return entries[:count].astype(np.float64), first, bits


def look_up(values: Values, *, entries: Values, first: int) -> Values:
    """Replace values by the entries of a table; what lies outside takes the first or last entry."""
    positions = np.clip(np.nan_to_num(values) - first, 0, entries.size - 1)
    return np.asarray(entries[positions.astype(np.int64)])


def leaves_enough(grey: Values) -> bool:
    """Tell whether a window leaves something to see.

    grey: [N] in 0..1, a sample of the film
    """
    between = np.mean((grey > 0.002) & (grey < 0.998))
    return bool(between >= MIN_SHARE_BETWEEN)
