"""Cuts a film down to its lungs: black outside them, as large as they go, exposed by them alone."""

from __future__ import annotations

import cv2
import numpy as np

from ml.imaging.preprocess import resize_area

MARGIN = 0.03  # of the lungs' longer side, left around them
LEAST_AREA = 0.02  # share of the film below which lungs are taken for not found
LOW, HIGH = 1.0, 99.0  # percentiles of the lungs that become DARKEST and 255
DARKEST = 32  # so that the darkest lung differs from what was cut away


def _square_around(mask: np.ndarray) -> tuple[int, int, int]:
    """Left, top and side of the square that holds a mask; may reach beyond the film."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    side = round(max(height, width) * (1 + 2 * MARGIN))
    left = round((columns[0] + columns[-1] + 1 - side) / 2)
    top = round((rows[0] + rows[-1] + 1 - side) / 2)
    return left, top, side


def cut_lungs(prepared: np.ndarray, lungs: np.ndarray, *, size: int) -> np.ndarray:
    """Give the lungs view of a film.

    prepared: [S, S] uint8, the whole film squashed to a square
    lungs: [M, M] bool, over the whole film
    returns: [size, size] uint8; the whole film where no lungs were found
    """
    if lungs.mean() < LEAST_AREA:
        return resize_area(prepared, width=size, height=size)
    side = prepared.shape[0]
    mask = resize_area(lungs.astype(np.float32), width=side, height=side) > 0.5
    low, high = np.percentile(prepared[mask], (LOW, HIGH))
    scale = (255 - DARKEST) / max(float(high - low), 1.0)
    exposed = np.clip((prepared - np.float32(low)) * scale + DARKEST, DARKEST, 255)
    left, top, side = _square_around(mask)
    move = np.array([[1, 0, -left], [0, 1, -top]], np.float32)
    cut = cv2.warpAffine(np.where(mask, exposed, 0), move, (side, side), flags=cv2.INTER_NEAREST)
    return np.rint(resize_area(cut, width=size, height=size)).astype(np.uint8)
