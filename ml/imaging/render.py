"""Pictures for people: the film, boxes, outlines and heat maps, at most 1024 pixels a side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from ml.imaging.radiograph import PICTURE_PX

THUMB_PX = 160
# quick to write and about 15 % larger than zlib's best
PNG_COMPRESSION = 1
RED = (255, 0, 0)
WHITE = (255, 255, 255)
# label of the anatomy mask -> name, colour of its outline (distinct for colour-blind eyes too)
ORGANS = {
    1: ("left lung", (86, 180, 233)),
    2: ("right lung", (0, 200, 140)),
    3: ("heart", (240, 180, 40)),
}

Grey = npt.NDArray[np.uint8]
Colour = npt.NDArray[np.uint8]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class BoxMark:
    """One lesion to be drawn.

    box: x0, y0, x1, y1 as fractions of the film
    probability: 0..1, None leaves it out of the caption
    """

    label: str
    box: tuple[float, float, float, float]
    probability: float | None = None


def draw_film(pixels: npt.NDArray[np.float32]) -> Grey:
    """Make the display picture of a film.

    pixels: [H, W] in 0..1
    returns: [h, w], the same aspect, the longer side at most PICTURE_PX
    """
    width, height = fit_size(pixels.shape[1], pixels.shape[0])
    if (height, width) != pixels.shape:
        pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA))
    return np.asarray(cv2.convertScaleAbs(np.clip(pixels, 0, 1), alpha=255), dtype=np.uint8)


def draw_thumb(film: Grey) -> Grey:
    """Make a film's picture small enough for a list.

    film: [h, w]; returns: the same aspect, the longer side at most THUMB_PX
    """
    width, height = fit_size(film.shape[1], film.shape[0], longest=THUMB_PX)
    small = cv2.resize(film, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)


def fit_size(width: int, height: int, *, longest: int = PICTURE_PX) -> tuple[int, int]:
    """Find the size of a film's pictures: (width, height), never enlarged, at least 1 x 1."""
    scale = min(1.0, longest / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def draw_boxes(film: Grey, marks: Sequence[BoxMark]) -> Colour:
    """Draw lesions in red with label and probability; the first of `marks` ends up on top.

    film: [h, w]
    returns: [h, w, 3] RGB
    """
    picture = Image.fromarray(film).convert("RGB")
    draw = ImageDraw.Draw(picture)
    height, width = film.shape
    line = max(2, round(max(width, height) / 340))
    font = _load_font(max(11, round(max(width, height) / 46)))
    for mark in reversed(marks):
        corners = _to_pixels(mark.box, width=width, height=height)
        draw.rectangle(corners, outline=RED, width=line)
        _write_caption(draw, _caption(mark), corners=corners, size=(width, height), font=font)
    return np.asarray(picture)


def _caption(mark: BoxMark) -> str:
    name = mark.label.replace("_", " ")
    return name if mark.probability is None else f"{name} {mark.probability * 100:.0f} %"


def _to_pixels(
    box: tuple[float, float, float, float], *, width: int, height: int
) -> tuple[int, int, int, int]:
    x0, x1 = sorted(min(max(round(x * width), 0), width - 1) for x in (box[0], box[2]))
    y0, y1 = sorted(min(max(round(y * height), 0), height - 1) for y in (box[1], box[3]))
    return x0, y0, x1, y1


def _write_caption(
    draw: ImageDraw.ImageDraw,
    text: str,
    *,
    corners: tuple[int, int, int, int],
    size: tuple[int, int],
    font: Font,
) -> None:
    """Write on a red bar above the box, or inside it where there is no room above."""
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    pad = max(2, round((bottom - top) / 5))
    bar_width, bar_height = right - left + 2 * pad, bottom - top + 2 * pad
    x = max(0, min(corners[0], size[0] - 1 - bar_width))
    y = corners[1] - bar_height
    if y < 0:
        y = min(corners[1], max(0, size[1] - 1 - bar_height))
    draw.rectangle((x, y, x + bar_width, y + bar_height), fill=RED)
    draw.text((x + pad - left, y + pad - top), text, font=font, fill=WHITE)


@lru_cache(maxsize=16)
def _load_font(size: int) -> Font:
    """Pillow's own font: it ships with the library, so pictures look alike everywhere."""
    return ImageFont.load_default(size)


def draw_outlines(film: Grey, masks: npt.NDArray[np.uint8]) -> Colour:
    """Draw the outlines of lungs and heart.

    film: [h, w]
    masks: [H, W] any size, labels of ORGANS, 0 elsewhere
    returns: [h, w, 3] RGB
    """
    height, width = film.shape
    picture = np.asarray(cv2.cvtColor(film, cv2.COLOR_GRAY2RGB))
    line = max(1, round(max(width, height) / 400))
    for label, (_, colour) in ORGANS.items():
        soft = (masks == label).astype(np.float32)
        # enlarged as a soft mask, a coarse one gets a smooth edge
        full = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR) >= 0.5
        contours, _ = cv2.findContours(
            full.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(picture, contours, -1, colour, line, cv2.LINE_AA)
    return picture.astype(np.uint8, copy=False)


def draw_map(heat: npt.NDArray[np.float32], *, width: int, height: int) -> Grey:
    """Make the grey picture of a heat map, for colouring on the page.

    heat: [h', w'] in 0..1, usually much coarser than the film
    returns: [height, width], 255 is hottest
    """
    enlarged = cv2.resize(
        np.clip(np.nan_to_num(heat), 0, 1).astype(np.float32),
        (width, height),
        interpolation=cv2.INTER_CUBIC if heat.shape[0] < height else cv2.INTER_AREA,
    )
    return np.asarray(cv2.convertScaleAbs(np.clip(enlarged, 0, 1), alpha=255), dtype=np.uint8)


def encode_png(picture: Grey | Colour) -> bytes:
    """Write a [h, w] grey or [h, w, 3] RGB picture as PNG."""
    if picture.ndim == 3:
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), dtype=np.uint8)
    # One filter for all rows: trying each for every row takes 1.7 times as long for 5 % of size.
    how = [cv2.IMWRITE_PNG_COMPRESSION, PNG_COMPRESSION]
    how += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB]
    done, encoded = cv2.imencode(".png", picture, how)
    if not done:
        raise ValueError("the picture cannot be written as PNG")
    return encoded.tobytes()
