"""The grey-scale pipeline of DICOM: modality values, VOI, polarity (PS3.3 C.11, PS3.4 N.2)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pydicom.dataset import Dataset

from ml.imaging.dicom_header import get_quietly, read_number
from ml.imaging.greys import (
    Film,
    Pixels,
    Values,
    find_range,
    leaves_enough,
    look_up,
    map_values,
    ramp,
    read_table,
    sample,
    window,
)

Change = Callable[[Values], Values]


def to_film(dataset: Dataset, stored: Pixels) -> tuple[Film, list[str]]:
    """Map stored values to grey in 0..1, 0 black.

    stored: [H, W]
    returns: (film, codes of what was done)
    """
    corrections: list[str] = []
    to_modality = _modality_change(dataset)
    padding = _padding_range(dataset)
    seen = sample(stored).astype(np.float64)
    if padding:
        seen = seen[(seen < padding[0]) | (seen > padding[1])]
    seen = to_modality(seen)
    to_grey = _voi_change(dataset, bits=_bits(dataset, stored))
    if to_grey and not _shows_something(to_grey, seen):
        to_grey = None
        corrections.append("window_ignored")
    if to_grey is None:
        to_grey = _stretch_change(dataset, stored, seen, corrections)
    negative = str(dataset.PhotometricInterpretation) == "MONOCHROME1"
    if negative:
        corrections.append("inverted")

    def change(values: Values) -> Values:
        grey = np.clip(np.nan_to_num(to_grey(to_modality(values))), 0, 1)
        if negative:
            grey = 1 - grey
        if padding:
            grey[(values >= padding[0]) & (values <= padding[1])] = 0
        return grey

    return map_values(stored, change), corrections


def _bits(dataset: Dataset, stored: Pixels) -> int:
    return int(dataset.get("BitsStored") or stored.itemsize * 8)


def _stretch_change(
    dataset: Dataset, stored: Pixels, seen: Values, corrections: list[str]
) -> Change:
    bits = _bits(dataset, stored)
    if bits <= 8 and not dataset.get("PixelRepresentation"):
        low, high = _modality_change(dataset)(np.array([0.0, 2.0**bits - 1]))
        if high > low:
            return lambda values: ramp(values, bottom=float(low), top=float(high))
    corrections.append("stretched")
    bottom, top = find_range(seen)
    return lambda values: ramp(values, bottom=bottom, top=top)


def _modality_change(dataset: Dataset) -> Change:
    """Stored values to modality values, by table or by rescale slope and intercept."""
    table = _first_table(dataset, "ModalityLUTSequence")
    if table:
        entries, first, _ = table
        return lambda values: look_up(values, entries=entries, first=first)
    slope = read_number(dataset, "RescaleSlope")
    intercept = read_number(dataset, "RescaleIntercept") or 0.0
    if slope in (None, 0.0):
        slope = 1.0
    if max(abs(slope), abs(intercept)) > 1e12:
        return lambda values: values
    return lambda values: values * slope + intercept


def _voi_change(dataset: Dataset, *, bits: int) -> Change | None:
    """Modality values to grey, by VOI LUT or by the first window; None where there is neither."""
    table = _first_table(dataset, "VOILUTSequence")
    if table:
        entries, first, entry_bits = table
        top = max(float(entries.max()), 2.0**entry_bits - 1)
        return lambda values: look_up(values, entries=entries, first=first) / top
    center = read_number(dataset, "WindowCenter")
    width = read_number(dataset, "WindowWidth")
    if center is None or width is None:
        return None
    function = str(get_quietly(dataset, "VOILUTFunction") or "LINEAR").strip().upper()
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        function = "LINEAR"

    def change(values: Values) -> Values:
        return window(values, center=center, width=width, function=function)

    return change


def _first_table(dataset: Dataset, keyword: str) -> tuple[Values, int, int] | None:
    """Read the first item's table; None where there is none or it is broken."""
    sequence = get_quietly(dataset, keyword)
    try:
        item = sequence[0]
        descriptor, data = item.LUTDescriptor, item.LUTData
        entries, first, bits = read_table(descriptor, data)
    except (TypeError, ValueError, IndexError, AttributeError, OverflowError):
        return None
    if first > 32767 and dataset.get("PixelRepresentation"):
        first -= 65536  # the descriptor's second value is signed where the pixels are
    return entries, first, bits


def _shows_something(to_grey: Change, seen: Values) -> bool:
    """Tell whether the file's own window leaves something to see of a film that has something."""
    if seen.size == 0 or seen.min() == seen.max():
        return True
    if np.unique(seen[:4096]).size <= 2 and np.unique(seen).size <= 2:
        return True  # a film of two values has no grey in any window
    try:
        return leaves_enough(to_grey(seen))
    except ValueError:
        return False


def _padding_range(dataset: Dataset) -> tuple[float, float] | None:
    """Read which stored values stand for "no picture here" (PS3.3 C.7.5.1.1.2)."""
    one = read_number(dataset, "PixelPaddingValue")
    if one is None:
        return None
    if dataset.get("PixelRepresentation") and one > 32767:
        one -= 65536
    other = read_number(dataset, "PixelPaddingRangeLimit")
    return (min(one, other), max(one, other)) if other is not None else (one, one)
