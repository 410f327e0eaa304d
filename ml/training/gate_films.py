"""Films for the gate's training: good ones, the same made unfit, and what is no chest film."""

from __future__ import annotations

import csv
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ml.gate import KINDS
from ml.training.data import read_layout

FRONTAL, LATERAL, CROPPED, BLANK, OTHER = (KINDS.index(kind) for kind in KINDS)
# chances of each kind in an epoch; the order is that of KINDS
SHARES = (0.45, 0.13, 0.15, 0.05, 0.22)


@dataclass(frozen=True)
class GateFilm:
    """A picture and what it is before it is altered.

    kind: frontal, lateral or other; group: the collection or kind of object, for the report
    """

    path: Path
    kind: str
    group: str
    split: str


@dataclass(frozen=True)
class GateDraw:
    """One training input: pixels [S, S] uint8 and its truths.

    turn: quarter turns, anti-clockwise as in numpy.rot90; judged: whether turn and inverted are
    meant to be learned from it
    """

    pixels: np.ndarray
    kind: int
    turn: int
    inverted: int
    judged: bool


def read_gate_films(root: Path, *, normals: int = 2000) -> list[GateFilm]:
    """Read good frontal films of nih, guangzhou and anatomy, and the pictures of gate/.

    normals: how many of the list `normals` are used in train
    """
    films = []
    used = 0
    for film in read_layout(root):
        if film.source == "lungs_only":
            continue
        if film.source == "normals" and film.split == "train":
            used += 1
            if used > normals:
                continue
        films.append(GateFilm(film.path, "frontal", f"nih {film.source}", film.split))
    for folder, column in (("guangzhou", "split"), ("anatomy", "split")):
        with (root / folder / "films.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                path = root / folder / row["file"]
                films.append(GateFilm(path, "frontal", folder, row[column]))
    with (root / "gate" / "images.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            kind = "lateral" if row["kind"] == "chest_lateral" else "other"
            split = row["split"]
            if split == "train" and zlib.crc32(row["file"].encode()) % 7 == 0:
                split = "val"
            films.append(GateFilm(root / "gate" / row["file"], kind, row["kind"], split))
    return films


def crop_heavily(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut a window out of which nobody should read the chest: a half, or at most 45 % of the area.

    pixels: [H, W]; returns: the window, not resized
    """
    height, width = pixels.shape
    style = rng.integers(3)
    if style == 0:
        across, down = rng.uniform(0.3, 0.52), rng.uniform(0.85, 1.0)
    elif style == 1:
        across, down = rng.uniform(0.85, 1.0), rng.uniform(0.25, 0.48)
    else:
        across, down = rng.uniform(0.25, 0.66, 2)
    w, h = max(8, int(across * width)), max(8, int(down * height))
    x, y = rng.integers(0, width - w + 1), rng.integers(0, height - h + 1)
    return pixels[y : y + h, x : x + w]


def draw_blank(size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a picture with nothing on it: even grey, a slope, noise, or a collimated field.

    returns: [size, size] uint8
    """
    base = np.full((size, size), rng.uniform(0, 255), np.float32)
    style = rng.integers(4)
    if style == 1:
        ramp = np.linspace(-1, 1, size, dtype=np.float32) * rng.uniform(10, 120)
        base += ramp if rng.random() < 0.5 else ramp[:, None]
    elif style == 2:
        coarse = rng.normal(0, rng.uniform(10, 60), (rng.integers(2, 9), rng.integers(2, 9)))
        base += cv2.resize(coarse.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    elif style == 3:
        low, high = sorted(rng.integers(0, size, 2))
        base[low : high + 1] += rng.uniform(-120, 120)
    base += rng.normal(0, rng.uniform(0, 40), base.shape)
    return np.clip(base, 0, 255).astype(np.uint8)


def write_marks(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Burn in a letter, an arrow or a frame, as films from elsewhere carry them."""
    marked = pixels.copy()
    size = marked.shape[0]
    grey = (0, 255, int(rng.integers(120, 256)))[int(rng.integers(3))]
    x, y = (int(v) for v in rng.integers(0, size, 2))
    style = rng.integers(3)
    if style == 0:
        text = str(rng.choice(["L", "R", "AP", "PA", "12:30", "ERECT", "SUPINE", "A", "1", "*"]))
        thick = int(rng.integers(1, 4))
        height = rng.uniform(0.3, 1.4)
        cv2.putText(marked, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, height, grey, thick)
    elif style == 1:
        tip = (int(x + rng.integers(-30, 31)), int(y + rng.integers(-30, 31)))
        cv2.arrowedLine(marked, (x, y), tip, grey, 2, tipLength=0.4)
    else:
        edge = int(rng.integers(1, max(2, size // 10)))
        cv2.rectangle(marked, (0, 0), (size - 1, size - 1), grey, edge)
    return marked


def move(pixels: np.ndarray, *, size: int, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Turn a little, zoom, shift and mirror, onto a square; the border is black, white or repeated.

    pixels: [H, W] uint8; returns: [size, size] uint8
    """
    square = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)
    angle = rng.uniform(-12, 12) * strength
    scale = math.exp(rng.uniform(-0.16, 0.13) * strength)
    affine: np.ndarray = np.array(cv2.getRotationMatrix2D((size / 2, size / 2), angle, scale))
    affine[:, 2] += rng.uniform(-0.07, 0.07, 2) * size * strength
    if rng.random() < 0.5:
        square = np.ascontiguousarray(square[:, ::-1])
    border = (cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE)[int(rng.random() < 0.4)]
    value = 255 if rng.random() < 0.15 else 0
    return np.asarray(
        cv2.warpAffine(square, affine, (size, size), borderMode=border, borderValue=value)
    )


def change_greys(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change gamma, contrast, sharpness and noise; stretch to the full range as serving does."""
    grey: np.ndarray = (pixels.astype(np.float32) / 255) ** math.exp(rng.uniform(-0.7, 0.7))
    if rng.random() < 0.3:
        grey = np.array(cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.3, 1.5)))
    if rng.random() < 0.3:
        grey = grey + rng.normal(0, rng.uniform(0, 0.06), grey.shape).astype(np.float32)
    low, high = np.percentile(grey, (rng.uniform(0, 2), rng.uniform(98, 100)))
    return np.clip((grey - low) / max(float(high - low), 1e-3) * 255, 0, 255).astype(np.uint8)


def alter(
    pixels: np.ndarray, kind: int, *, size: int, turn: int, inverted: bool, rng: np.random.Generator
) -> np.ndarray:
    """Make a training input of a given kind out of a stored picture.

    pixels: [H, W] uint8; kind: index into KINDS; returns: [size, size] uint8
    """
    if kind == BLANK:
        return draw_blank(size, rng)
    if kind == CROPPED:
        pixels = crop_heavily(pixels, rng)
    out = move(pixels, size=size, strength=1.0 if kind == FRONTAL else 1.4, rng=rng)
    out = change_greys(out, rng)
    if inverted:
        out = 255 - out
    for _ in range(int(rng.choice(4, p=(0.5, 0.3, 0.15, 0.05)))):
        out = write_marks(out, rng)
    return np.ascontiguousarray(np.rot90(out, turn))


def draw_one(
    pools: Sequence[np.ndarray], pixels: np.ndarray, *, size: int, rng: np.random.Generator
) -> GateDraw:
    """Draw one training input.

    pools: rows of `pixels` that are frontal, lateral and other; pixels: [N, S, S] uint8
    """
    kind = int(rng.choice(len(KINDS), p=SHARES))
    pool = pools[{FRONTAL: 0, CROPPED: 0, LATERAL: 1}.get(kind, 2)]
    judged = kind in (FRONTAL, CROPPED, LATERAL)
    turn = int(rng.choice(4, p=(0.58, 0.13, 0.16, 0.13))) if judged else int(rng.integers(4))
    inverted = bool(rng.random() < 0.2)
    source = pixels[int(rng.choice(pool))]
    out = alter(source, kind, size=size, turn=turn, inverted=inverted, rng=rng)
    return GateDraw(out, kind, turn, int(inverted), judged)
