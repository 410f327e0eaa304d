"""The numbered preprocessings: the same function prepares films for training and for serving.

A number never changes its meaning: a network's spec.json names the number that it was trained with.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

# percentiles are taken on a small copy, so that they do not depend on the film's resolution
THUMBNAIL_PX = 128


@dataclass(frozen=True)
class Preprocessing:
    """What one number stands for.

    low, high: percentiles of the film that become 0 and 255
    clahe_clip: limit of contrast-limited adaptive histogram equalisation, None for none
    clahe_tiles: tiles along each side
    """

    low: float
    high: float
    clahe_clip: float | None = None
    clahe_tiles: int = 8


PREPROCESSINGS: dict[int, Preprocessing] = {
    1: Preprocessing(low=0.5, high=99.5),
    2: Preprocessing(low=0.5, high=99.5, clahe_clip=2.0),
}


def resize_area(pixels: np.ndarray, *, width: int, height: int) -> np.ndarray:
    """Resize by area means where the film shrinks, bilinear where it grows.

    pixels: [H, W], uint8, uint16 or float32
    returns: [height, width] of the same type
    """
    if pixels.shape == (height, width):
        return pixels
    shrinks = pixels.shape[0] >= height and pixels.shape[1] >= width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=method))


def grey_limits(pixels: np.ndarray, *, low: float, high: float) -> tuple[float, float]:
    """Find the film's values at two percentiles, on a thumbnail of it.

    pixels: [H, W], any real type
    returns: (bottom, top), top > bottom also for a blank film
    """
    thumbnail = resize_area(pixels, width=THUMBNAIL_PX, height=THUMBNAIL_PX)
    bottom, top = np.percentile(thumbnail, (low, high))
    return float(bottom), float(max(top, bottom + 1e-4))


def to_grey8(pixels: np.ndarray, *, bottom: float, top: float) -> np.ndarray:
    """Map [bottom, top] onto 0..255 and clip.

    pixels: [H, W], any real type
    returns: [H, W] uint8
    """
    scaled = (pixels.astype(np.float32) - bottom) * (255.0 / (top - bottom))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def prepare(pixels: np.ndarray, *, size: int, number: int) -> np.ndarray:
    """Make a network's square input from a film, squashed to a square.

    pixels: [H, W] float32 in 0..1 (any scale gives the same result), 0 black
    returns: [size, size] uint8
    raises: KeyError where no preprocessing has the number
    """
    recipe = PREPROCESSINGS[number]
    bottom, top = grey_limits(pixels, low=recipe.low, high=recipe.high)
    square = to_grey8(resize_area(pixels, width=size, height=size), bottom=bottom, top=top)
    if recipe.clahe_clip is None:
        return square
    tiles = (recipe.clahe_tiles, recipe.clahe_tiles)
    equalise = cv2.createCLAHE(clipLimit=recipe.clahe_clip, tileGridSize=tiles)
    return np.asarray(equalise.apply(square))
