"""Turn a film upright: by what its file says of its directions, or by codes of what was seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

_Pixel = TypeVar("_Pixel", bound=np.generic)

UPRIGHT = "LF"
# quarter turns, clockwise, of the codes that say how a film that lay on its side was righted
TURNS = {"turned_right": 1, "turned_left": 3}
INVERTED = "inverted"
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


def correction_codes(*, turn_back: int, invert: bool) -> tuple[str, ...]:
    """Name what rights a film.

    turn_back: quarter turns, clockwise: 0, 1 or 3; invert: black and white are to be swapped
    """
    turned = tuple(code for code, turns in TURNS.items() if turns == turn_back)
    return (*turned, INVERTED) if invert else turned


def correct(pixels: npt.NDArray[np.float32], codes: Iterable[str]) -> npt.NDArray[np.float32]:
    """Right a film by codes of `correction_codes`.

    pixels: [H, W] in 0..1; returns: the same, turned and inverted where due, as a contiguous array
    """
    for code in codes:
        pixels = 1 - pixels if code == INVERTED else np.rot90(pixels, -TURNS[code])
    return np.ascontiguousarray(pixels)


def lies_otherwise(codes: Iterable[str]) -> bool:
    """Tell whether the corrections swapped width and height: a quarter turn."""
    return not TURNS.keys().isdisjoint(codes)
