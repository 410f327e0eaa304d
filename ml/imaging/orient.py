"""Turn a film upright by what its file says of its directions."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

_Pixel = TypeVar("_Pixel", bound=np.generic)

UPRIGHT = "LF"
_OPPOSITE = {"L": "R", "R": "L", "F": "H", "H": "F"}


def turn_upright(
    pixels: npt.NDArray[_Pixel], directions: str
) -> tuple[npt.NDArray[_Pixel], list[str]]:
    """Turn and mirror until columns run towards the patient's left and rows towards the feet.

    pixels: [H, W]
    directions: two letters of L, R, H, F: where the columns run, where the rows run
    returns: the film as a contiguous array, and the codes of what was done
    source: DICOM PS3.3 C.7.6.1.1.1 (Patient Orientation)
    """
    done: list[str] = []
    columns, rows = directions[0], directions[1]
    if columns in "HF":
        pixels, columns, rows = pixels.T, rows, columns
        done.append("transposed")
    if columns == "R":
        pixels = pixels[:, ::-1]
        done.append("mirrored_sideways")
    if rows == "H":
        pixels = pixels[::-1]
        done.append("mirrored_upwards")
    return np.ascontiguousarray(pixels), [_name_turn(done)] if done else []


def upright_size(width: int, height: int, directions: str) -> tuple[int, int]:
    """Say how wide and high a film is once it stands upright."""
    return (height, width) if directions[0] in "HF" else (width, height)


def _name_turn(done: list[str]) -> str:
    names = {
        ("mirrored_sideways", "mirrored_upwards"): "rotated_180",
        ("transposed", "mirrored_sideways"): "rotated_90",
        ("transposed", "mirrored_upwards"): "rotated_270",
        ("transposed", "mirrored_sideways", "mirrored_upwards"): "transverse",
    }
    return names.get(tuple(done), done[0])


def is_plain(directions: str) -> bool:
    """Tell whether two letters name one sideways and one lengthwise direction."""
    return len(directions) == 2 and {frozenset("LR"), frozenset("HF")} == {
        frozenset((letter, _OPPOSITE[letter])) for letter in directions if letter in _OPPOSITE
    }
