"""What a DICOM data set says of its film, cleaned: nothing in it is believed as it stands."""

from __future__ import annotations

import math
import re
from typing import Any

from pydicom.dataset import Dataset

from ml.imaging.orient import UPRIGHT, is_plain
from ml.imaging.radiograph import Header
from ml.refusal import Refusal

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_UID_MAX = 64  # PS3.5 section 9.1
_AGE = re.compile(r"([0-9]{3})([DWMY])")  # PS3.5 section 6.2, AS
_YEARS_PER_UNIT = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
_CODE = re.compile(r"[A-Z0-9 _]{1,16}")  # PS3.5 section 6.2, CS


def read_count(dataset: Dataset, keyword: str, *, default: int | None = None) -> int:
    """Read a whole number that the pixels need.

    raises: Refusal unreadable where it is absent, doubled or no number
    """
    value = dataset.get(keyword)
    if value is None or value == "":
        if default is None:
            raise Refusal("unreadable", element=keyword)
        return default
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError) as fault:
        raise Refusal("unreadable", element=keyword) from fault


def read_header(dataset: Dataset, *, width: int, height: int, frames: int, bits: int) -> Header:
    """Gather what the film's file says; what is malformed is left out."""
    return Header(
        format="dicom",
        width=width,
        height=height,
        frames=frames,
        bits=bits,
        view=_read_code(dataset, "ViewPosition"),
        sop_uid=_read_uid(dataset, "SOPInstanceUID"),
        study_uid=_read_uid(dataset, "StudyInstanceUID"),
        series_uid=_read_uid(dataset, "SeriesInstanceUID"),
        patient_id=_read_patient_id(dataset),
        pixel_spacing_mm=_read_spacing(dataset),
        age_years=_read_age(dataset),
        sex=_read_sex(dataset),
        modality=_read_code(dataset, "Modality"),
        body_part=_read_code(dataset, "BodyPartExamined"),
    )


def read_directions(dataset: Dataset) -> str:
    """Read where columns and rows run, as two letters (orient.py); upright where it is unclear."""
    value = get_quietly(dataset, "PatientOrientation")
    try:
        letters = [str(part).strip().upper() for part in value]
    except TypeError:
        return UPRIGHT
    directions = "".join(letters)
    plain = len(letters) == 2 and is_plain(directions)
    return directions if plain else UPRIGHT


def get_quietly(dataset: Dataset, keyword: str) -> Any:
    """Take a value that the pixels do not need; None where it cannot be read."""
    try:
        return dataset.get(keyword)
    except Exception:  # pydicom converts on access and raises nearly anything on a bad value
        return None


def read_number(dataset: Dataset, keyword: str) -> float | None:
    """Read one finite number, the first where there are several."""
    value = get_quietly(dataset, keyword)
    if hasattr(value, "__iter__") and not isinstance(value, str):
        value = next(iter(value), None)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _read_text(dataset: Dataset, keyword: str) -> str:
    value = get_quietly(dataset, keyword)
    return "" if value is None else str(value).strip("\x00 \t\r\n")


def _read_code(dataset: Dataset, keyword: str) -> str | None:
    text = _read_text(dataset, keyword).upper()
    return text if _CODE.fullmatch(text) else None


def _read_uid(dataset: Dataset, keyword: str) -> str | None:
    text = _read_text(dataset, keyword)
    return text if len(text) <= _UID_MAX and _UID.fullmatch(text) else None


def _read_patient_id(dataset: Dataset) -> str | None:
    text = "".join(char for char in _read_text(dataset, "PatientID") if char.isprintable())
    return text[:64].strip() or None


def _read_sex(dataset: Dataset) -> str | None:
    text = _read_text(dataset, "PatientSex").upper()
    return text if text in ("F", "M", "O") else None


def _read_age(dataset: Dataset) -> float | None:
    match = _AGE.fullmatch(_read_text(dataset, "PatientAge").upper())
    return int(match[1]) * _YEARS_PER_UNIT[match[2]] if match else None


def _read_spacing(dataset: Dataset) -> tuple[float, float] | None:
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        value = get_quietly(dataset, keyword)
        try:
            rows, columns = (float(part) for part in value)
        except (TypeError, ValueError):
            continue
        if all(math.isfinite(part) and 0 < part < 10 for part in (rows, columns)):
            return rows, columns
    return None
