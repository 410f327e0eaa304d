"""Chest-like drawings made by code: for tests of decoding and for smoke tests of training.

They carry the lay-out of a frontal chest film (lungs, heart, ribs, diaphragm, arms cut off) and
nothing else; no network's strength may be judged on them.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

LEFT_LUNG, RIGHT_LUNG, HEART = 1, 2, 3


class Phantom(NamedTuple):
    """A drawn film with its truth.

    film: [size, size] float32 in 0..1, 0 is black
    boxes: [N, 4] float32, x0, y0, x1, y1 as fractions of the film, one per lesion
    masks: [size, size] uint8, 0 elsewhere, 1 left lung (at the viewer's right), 2 right lung,
        3 heart
    """

    film: npt.NDArray[np.float32]
    boxes: npt.NDArray[np.float32]
    masks: npt.NDArray[np.uint8]


def draw_phantom(seed: int, size: int = 256, *, lesions: int = 0) -> Phantom:
    """Draw a chest-like film with `lesions` round opacities in the lungs; same seed, same film."""
    rng = np.random.default_rng(seed)
    masks = _draw_anatomy(rng, size)
    film = np.full((size, size), 0.62, np.float32)
    film -= 0.34 * _soften(masks == LEFT_LUNG, size) + 0.34 * _soften(masks == RIGHT_LUNG, size)
    film += 0.16 * _soften(masks == HEART, size)
    _add_spine_and_ribs(film, masks, rng)
    _add_air_beside_body(film, rng)
    boxes = np.zeros((lesions, 4), np.float32)
    for index in range(lesions):
        boxes[index] = _add_lesion(film, masks, rng)
    film += rng.normal(0, 0.012, film.shape).astype(np.float32)
    return Phantom(np.clip(film, 0, 1), boxes, masks)


def _draw_anatomy(rng: np.random.Generator, size: int) -> npt.NDArray[np.uint8]:
    masks = np.zeros((size, size), np.uint8)
    jitter = rng.uniform(-0.02, 0.02, 8)
    for code, side, low in ((RIGHT_LUNG, -1, 0.72), (LEFT_LUNG, 1, 0.76)):
        middle = 0.5 + side * (0.19 + jitter[code])
        top, bottom = 0.14 + jitter[2 + code], low + jitter[4 + code]
        outline = [
            (middle - side * 0.10, top + 0.10),
            (middle - side * 0.02, top),
            (middle + side * 0.08, top + 0.09),
            (middle + side * 0.15, 0.45),
            (middle + side * 0.16, bottom + 0.06),
            (middle, bottom - 0.04),
            (middle - side * 0.12, bottom),
            (middle - side * 0.11, 0.45),
        ]
        cv2.fillPoly(masks, [_to_pixels(outline, size)], (code,))
    centre = _to_pixels([(0.55 + jitter[6], 0.63 + jitter[7])], size)[0]
    axes = (int(size * rng.uniform(0.11, 0.15)), int(size * 0.13))
    cv2.ellipse(masks, (int(centre[0]), int(centre[1])), axes, 25, 0, 360, (HEART,), -1)
    return masks


def _to_pixels(points: list[tuple[float, float]], size: int) -> npt.NDArray[np.int32]:
    return np.round(np.array(points) * size).astype(np.int32)


def _soften(mask: npt.NDArray[np.bool_], size: int) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), size / 60))


def _add_spine_and_ribs(
    film: npt.NDArray[np.float32], masks: npt.NDArray[np.uint8], rng: np.random.Generator
) -> None:
    size = film.shape[0]
    bones = np.zeros_like(film)
    cv2.rectangle(bones, (int(0.47 * size), 0), (int(0.53 * size), size), (1.0,), -1)
    shift = rng.uniform(-0.02, 0.02)
    for rib in range(8):
        y = int((0.16 + shift + 0.075 * rib) * size)
        for side in (-1, 1):
            centre = (int((0.5 + side * 0.19) * size), y)
            axes = (int(0.18 * size), int(0.05 * size))
            cv2.ellipse(bones, centre, axes, side * 18, 180, 360, (0.6,), max(1, size // 70))
    film += 0.13 * cv2.GaussianBlur(bones, (0, 0), size / 150)


def _add_air_beside_body(film: npt.NDArray[np.float32], rng: np.random.Generator) -> None:
    size = film.shape[0]
    width = rng.uniform(0.03, 0.07)
    x = (np.arange(size, dtype=np.float32) + 0.5) / size
    outside = np.clip((width - np.minimum(x, 1 - x)) / 0.02, 0, 1)
    film *= 1 - 0.95 * outside[None, :]


def _add_lesion(
    film: npt.NDArray[np.float32], masks: npt.NDArray[np.uint8], rng: np.random.Generator
) -> tuple[float, float, float, float]:
    size = film.shape[0]
    rows, columns = np.nonzero((masks == LEFT_LUNG) | (masks == RIGHT_LUNG))
    chosen = rng.integers(len(rows))
    x, y = float(columns[chosen]), float(rows[chosen])
    radius = size * rng.uniform(0.04, 0.08)
    grid_y, grid_x = np.mgrid[0:size, 0:size].astype(np.float32)
    distance = np.hypot(grid_x - x, grid_y - y) / radius
    film += np.float32(0.24) * np.clip(1.4 - 1.2 * distance, 0, 1)
    corners = (x - radius, y - radius, x + radius, y + radius)
    x0, y0, x1, y1 = (min(max(corner / size, 0.0), 1.0) for corner in corners)
    return x0, y0, x1, y1
