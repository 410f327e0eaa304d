"""Boxed films for the detector: which boxes stand on a film, which labels are known there, draws.

Boxes are partial truth. NIH's radiologist boxed some findings of some films, RSNA's radiologists
boxed lung opacity on others. A label that the report mentions and nobody boxed is *unknown* on that
film, and its loss is left out there.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ml.training.data import Film, read_boxes, read_layout
from ml.vocabulary import BOX_LABELS

OPACITY = "Opacity"
KINDS: tuple[str, ...] = (*BOX_LABELS, OPACITY)
NORMALS_PX = 224  # side of the films in the list `normals`; all others pass through it at times


@dataclass(frozen=True)
class BoxedFilm:
    """One film of the detector's training.

    boxes: [K, 4] x0, y0, x1, y1 in fractions; kinds: [K] indices into KINDS
    known: [9] 1 where the absence of further boxes of that kind is known, else 0
    """

    film: Film
    boxes: np.ndarray
    kinds: np.ndarray
    known: np.ndarray


def read_opacity_boxes(root: Path) -> dict[str, list[tuple[float, ...]]]:
    """Read nih/rsna_boxes.csv: film → boxes; empty where the file is not there."""
    path = root / "nih" / "rsna_boxes.csv"
    boxes: dict[str, list[tuple[float, ...]]] = {}
    if path.exists():
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                corners = tuple(float(row[key]) for key in ("x0", "y0", "x1", "y1"))
                boxes.setdefault(row["film"], []).append(corners)
    return boxes


def known_kinds(film: Film, boxed: set[str]) -> np.ndarray:
    """Say which kinds are fully known on a film: boxed, or neither boxed nor in its labels."""
    known = [float(name in boxed or name not in film.labels) for name in BOX_LABELS]
    read_by_rsna = bool(film.reading) or not film.labels
    return np.array([*known, float(read_by_rsna)], dtype=np.float32)


def take_opacity_for(item: BoxedFilm, label: str) -> BoxedFilm:
    """Give a film whose boxes of opacity are boxes of a label instead; the label is known there."""
    opacity, kind = KINDS.index(OPACITY), KINDS.index(label)
    if not (item.kinds == opacity).any():
        return item
    known = item.known.copy()
    known[kind] = 1.0
    kinds = np.where(item.kinds == opacity, kind, item.kinds)
    return BoxedFilm(item.film, item.boxes, kinds, known)


def read_boxed_films(root: Path, *, split: str) -> list[BoxedFilm]:
    """Collect the films of a split that have a box, and those on which no finding is seen."""
    opacity = read_opacity_boxes(root)
    named: dict[str, list[tuple[str, tuple[float, ...]]]] = {}
    for box in read_boxes(root):
        named.setdefault(box.film, []).append((box.label, box.corners))
    boxed_films = []
    for film in read_layout(root):
        if film.split != split or film.source == "lungs_only":
            continue
        marks = [*named.get(film.name, [])]
        marks += [(OPACITY, corners) for corners in opacity.get(film.name, [])]
        if not marks and (film.labels or film.reading == "opacity") and film.source != "normals":
            continue
        boxed_films.append(
            BoxedFilm(
                film=film,
                boxes=np.array([corners for _, corners in marks], np.float32).reshape(-1, 4),
                kinds=np.array([KINDS.index(label) for label, _ in marks], np.int64),
                known=np.ones(len(KINDS), np.float32)
                if film.source == "normals"
                else known_kinds(film, {label for label, _ in marks}),
            )
        )
    return boxed_films


def draw_epoch(
    films: Sequence[BoxedFilm], *, free: int, normals: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw one epoch's order: every boxed film, some box-free ones, some of the list `normals`.

    returns: [N] indices into films
    """
    boxed = [i for i, f in enumerate(films) if len(f.boxes)]
    rest = [i for i, f in enumerate(films) if not len(f.boxes) and f.film.source != "normals"]
    soft = [i for i, f in enumerate(films) if f.film.source == "normals"]
    drawn = [
        np.array(boxed, np.int64),
        rng.choice(rest, min(free, len(rest)), replace=False) if rest else np.empty(0, np.int64),
        rng.choice(soft, min(normals, len(soft)), replace=False) if soft else np.empty(0, np.int64),
    ]
    order = np.concatenate(drawn).astype(np.int64)
    rng.shuffle(order)
    return order


def soften(pixels: np.ndarray, *, size: int = NORMALS_PX) -> np.ndarray:
    """Pass a film through `size` × `size` and back, which levels the sharpness of two lists.

    pixels: [H, W] uint8, or views [V, H, W]; returns: the same shape
    """
    if pixels.ndim == 3:
        return np.stack([soften(view, size=size) for view in pixels])
    if min(pixels.shape) <= size:
        return pixels
    small = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)
    height, width = pixels.shape
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


@dataclass(frozen=True)
class Shake:
    """How strongly films are moved and their greys changed while training.

    scale, shift: as shares; degrees: rotation; gamma, contrast: spread of the log and of the factor
    """

    scale: float = 0.2
    shift: float = 0.1
    degrees: float = 6.0
    gamma: float = 0.35
    contrast: float = 0.2
    mirror: float = 0.5
    soften: float = 0.3


def draw_affine(shake: Shake, *, size: int, out: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a map from film pixels (size) to input pixels (out).

    returns: [2, 3] float32 for cv2.warpAffine
    """
    angle = math.radians(rng.uniform(-shake.degrees, shake.degrees))
    scale = out / size * math.exp(rng.uniform(-shake.scale, shake.scale))
    flip = -1.0 if rng.random() < shake.mirror else 1.0
    cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
    linear = np.array([[cos * flip, -sin], [sin * flip, cos]])
    centre = np.full(2, size / 2)
    target = np.full(2, out / 2) + rng.uniform(-shake.shift, shake.shift, 2) * out
    return np.column_stack([linear, target - linear @ centre]).astype(np.float32)


def move_boxes(boxes: np.ndarray, affine: np.ndarray, *, size: int, out: int) -> np.ndarray:
    """Move boxes with the film, and clip them to it.

    boxes: [K, 4] fractions of the film; returns: [K, 4] fractions of the input
    """
    if not len(boxes):
        return boxes
    x0, y0, x1, y1 = (boxes * size).T
    corners = np.stack([np.stack([x, y], -1) for x in (x0, x1) for y in (y0, y1)], 1)  # [K, 4, 2]
    moved = corners @ affine[:, :2].T + affine[:, 2]
    low, high = moved.min(1), moved.max(1)
    return np.clip(np.concatenate([low, high], 1) / out, 0, 1).astype(np.float32)


def change_greys(pixels: np.ndarray, shake: Shake, rng: np.random.Generator) -> np.ndarray:
    """Change gamma, contrast and brightness at random.

    pixels: [H, W] uint8; returns: [H, W] float32 in 0..1
    """
    grey = pixels.astype(np.float32) / 255
    grey = grey ** math.exp(rng.uniform(-shake.gamma, shake.gamma))
    factor = 1 + rng.uniform(-shake.contrast, shake.contrast)
    grey = (grey - 0.5) * factor + 0.5 + rng.uniform(-0.08, 0.08)
    return np.clip(grey, 0, 1).astype(np.float32)


def shake_film(
    pixels: np.ndarray, item: BoxedFilm, *, out: int, shake: Shake, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make one training input from a stored film.

    pixels: [S, S] uint8
    returns: film [out, out] float32 in 0..1, boxes [K, 4] fractions, kinds [K]; boxes of which
    less than 2 % of the side is left are dropped
    """
    size = pixels.shape[0]
    if rng.random() < shake.soften:
        pixels = soften(pixels)
    affine = draw_affine(shake, size=size, out=out, rng=rng)
    film = change_greys(
        cv2.warpAffine(pixels, affine, (out, out), flags=cv2.INTER_AREA), shake, rng
    )
    boxes = move_boxes(item.boxes, affine, size=size, out=out)
    keep = (boxes[:, 2] - boxes[:, 0] > 0.02) & (boxes[:, 3] - boxes[:, 1] > 0.02)
    return film, boxes[keep], item.kinds[keep]
