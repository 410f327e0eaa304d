"""Draws frontal chest films that belong to nobody, from a small generator that ships with it.

Greys and shape are drawn at random around the mean of many normal films (ml/training/synthetic.py
says how these were reduced); fine markings and grain, which the reduction lost, are drawn by code.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

GRAPH = "generator.npz"
FOLDER = Path(__file__).resolve().parents[1] / "weights" / "synthetic"
# drawn coefficients keep this share of the spread that was found
SPREAD = 0.95
# the drawn chest is this much larger than the template, so that few places lie beyond its edge
ZOOM_RANGE = (1.0, 1.08)
MARKINGS_SIDE = 704
INVERSION_STEPS = 8

Film = npt.NDArray[np.float32]


class GeneratorError(Exception):
    """The generator's files are missing or changed; the message names the file."""


@dataclass(frozen=True)
class Opacity:
    """A shadow to be drawn in.

    x, y: centre, radius: size, as fractions of the film's width and height; strength: 0..1
    """

    x: float = 0.3
    y: float = 0.62
    radius: float = 0.1
    strength: float = 0.6


class Generator:
    """Means, components and spread of greys and shapes, in the frame of a template."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self._mean = arrays["mean"].astype(np.float32)
        self._side = self._mean.shape[0]
        self._greys = _unpack(arrays, "grey")
        self._shape_mean = arrays["shape_mean"].astype(np.float32)
        self._shapes = _unpack(arrays, "shape")
        self._factor = arrays["factor"]
        top = float(arrays["texture_top"])
        self._texture: Film = arrays["texture"].astype(np.float32) * np.float32(top / 255)
        self._lungs: Film = arrays["lungs"].astype(np.float32) / np.float32(255)

    def sample(
        self, seed: int, size: int | tuple[int, int], *, opacity: Opacity | None = None
    ) -> Film:
        """Draw one film; the same seed gives the same film.

        size: side, or (height, width)
        returns: [height, width] float32 in 0..1, 0 black
        """
        height, width = (size, size) if isinstance(size, int) else size
        rng = np.random.default_rng(seed)
        drawn = self._factor @ rng.normal(size=len(self._factor)) * SPREAD
        greys, shape = drawn[: len(self._greys)], drawn[len(self._greys) :]
        film = self._mean + np.tensordot(greys.astype(np.float32), self._greys, 1)
        field = self._draw_field(shape.astype(np.float32), rng)
        fine = min(MARKINGS_SIDE, max(height, width))
        film = _fetch(film, field, side=fine) + self._draw_markings(field, fine, rng)
        film = _enlarge(film, height, width)
        if opacity is not None:
            film = _add_opacity(film, opacity, rng)
        film += _draw_grain(height, width, rng)
        clipped: Film = np.clip(film, 0, 1, dtype=np.float32)
        return clipped

    def _draw_field(self, shape: npt.NDArray[np.float32], rng: np.random.Generator) -> Film:
        """Where in the template each place of the film comes from, [side, side, 2] fractions."""
        flow = self._shape_mean + np.tensordot(shape, self._shapes, 1)
        flow = _enlarge(flow, self._side, self._side)
        rows, columns = np.mgrid[0 : self._side, 0 : self._side].astype(np.float32)
        back = np.zeros_like(flow)
        for _ in range(INVERSION_STEPS):  # back(x) = -flow(x + back(x))
            back = -_fetch_at(flow, columns + back[..., 0], rows + back[..., 1])
        field = (np.dstack([columns, rows]) + back + 0.5) / self._side
        zoom = rng.uniform(*ZOOM_RANGE)
        slack = (1 - 1 / zoom) / 3
        shift = rng.uniform(-slack, slack, 2).astype(np.float32)
        return np.asarray((field - 0.5) / zoom + 0.5 + shift, dtype=np.float32)

    def _draw_markings(self, field: Film, side: int, rng: np.random.Generator) -> Film:
        """Draw vessels and mottle at the strength that real films have in each place."""
        strength = _fetch(self._texture, field, side=side)
        lungs = _fetch(self._lungs, field, side=side)
        mottle = _draw_mottle(side, rng)
        vessels = _draw_vessels(side, rng)
        return np.asarray(strength * ((0.22 + 0.08 * lungs) * mottle + 1.1 * lungs * vessels))


def _enlarge(picture: npt.NDArray[np.floating], height: int, width: int) -> Film:
    """Resize [h, w] or [h, w, channels] smoothly."""
    small = np.asarray(picture, np.float32)
    return np.asarray(
        cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.float32
    )


def _unpack(arrays: dict[str, np.ndarray], name: str) -> npt.NDArray[np.float32]:
    """Read components back from 8 bits, [count, ...]."""
    packed, scales = arrays[f"{name}_components"], arrays[f"{name}_scales"]
    like = arrays["mean"].shape if name == "grey" else arrays["shape_mean"].shape
    components: Film = (packed.astype(np.float32) * scales[:, None]).reshape(len(packed), *like)
    return components


def _fetch(template: Film, field: Film, *, side: int) -> Film:
    """Lay a picture in the template's frame out as the film, [side, side]."""
    places = _enlarge(field, side, side)
    places = places * template.shape[0] - 0.5
    return _fetch_at(template, places[..., 0], places[..., 1])


def _fetch_at(picture: Film, columns: Film, rows: Film) -> Film:
    """Take a picture's values at places given in its pixels; beyond its edge it is mirrored."""
    found = cv2.remap(picture, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(found, dtype=np.float32)


def _draw_mottle(side: int, rng: np.random.Generator) -> Film:
    """Noise over three octaves with the falling spectrum of anatomy, spread 1."""
    mottle = np.zeros((side, side), np.float32)
    for cells, weight in ((44, 1.0), (88, 0.7), (176, 0.45)):
        noise = rng.normal(size=(cells, cells)).astype(np.float32)
        mottle += weight * _enlarge(noise, side, side)
    return np.asarray(mottle / mottle.std())


def _draw_vessels(side: int, rng: np.random.Generator) -> Film:
    """Streaks that run outwards from the two hila and fade, spread about 1 near the hila."""
    vessels = np.zeros((side, side), np.float32)
    for x in (0.38, 0.62):
        streaks = rng.normal(size=(256, 128)).astype(np.float32)  # [angle, radius]
        streaks = np.asarray(cv2.GaussianBlur(streaks, (0, 0), sigmaX=7, sigmaY=0.9), np.float32)
        streaks /= streaks.std()
        centre = ((x + rng.uniform(-0.02, 0.02)) * side, 0.47 * side)
        rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
        wander = _enlarge(rng.normal(0, 0.035 * side, (9, 9, 2)), side, side)
        away_x, away_y = columns - centre[0] + wander[..., 0], rows - centre[1] + wander[..., 1]
        radius = np.hypot(away_x, away_y) / side
        angle = (np.arctan2(away_y, away_x) / (2 * np.pi) + 0.5) * 256
        radial = _fetch_at(streaks, np.sqrt(radius) * 128, angle)
        own_side = (columns < side / 2) == (x < 0.5)
        vessels += np.maximum(radial, -0.4) * np.exp(-radius / 0.22) * own_side * 1.6
    return vessels


def _draw_grain(height: int, width: int, rng: np.random.Generator) -> Film:
    """The quantum noise of a film, barely seen."""
    grain = rng.standard_normal((height, width), np.float32)
    return np.asarray(0.006 * grain)


def _add_opacity(film: Film, opacity: Opacity, rng: np.random.Generator) -> Film:
    """Brighten a soft-edged, uneven patch towards the grey of the heart."""
    height, width = film.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    uneven = _enlarge(rng.normal(0, 0.22, (7, 7)), height, width)
    distance = np.hypot(columns / width - opacity.x, rows / height - opacity.y) / opacity.radius
    patch = np.clip(1.35 - distance * (1 + uneven), 0, 1)
    patch = patch * patch * (3 - 2 * patch) * opacity.strength
    return np.asarray(film + patch * np.maximum(0.86 - film, 0))


def newest_folder() -> Path:
    """Find the newest version that ships."""
    versions = sorted(path.parent for path in FOLDER.glob("*/spec.json"))
    if not versions:
        raise GeneratorError(f"no generator of synthetic films in {FOLDER}")
    return versions[-1]


@lru_cache(maxsize=1)
def load_generator(folder: Path | None = None) -> Generator:
    """Load a version, the newest where none is named.

    raises: GeneratorError where its arrays are missing or not as spec.json says
    """
    folder = folder or newest_folder()
    path = folder / GRAPH
    try:
        data = path.read_bytes()
        expected = json.loads((folder / "spec.json").read_text())["files"][GRAPH]
    except (OSError, KeyError, ValueError) as fault:
        raise GeneratorError(f"{path}: missing, or not named in spec.json") from fault
    if hashlib.sha256(data).hexdigest() != expected:
        raise GeneratorError(f"{path}: changed (its sha256 is not the one in spec.json)")
    with np.load(path, allow_pickle=False) as arrays:
        return Generator(dict(arrays))


def sample_film(
    seed: int, size: int | tuple[int, int] = 1024, opacity: Opacity | None = None
) -> Film:
    """Draw one synthetic film; the same seed gives the same film.

    size: side, or (height, width)
    returns: [height, width] float32 in 0..1, 0 black
    raises: GeneratorError where the generator is missing or changed
    """
    return load_generator().sample(seed, size, opacity=opacity)


def main(arguments: list[str] | None = None) -> None:
    """Write synthetic chest films to try the platform with: PNG, and 16-bit DICOM."""
    from ml.imaging.write import write_samples

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--count", type=int, default=6, help="films of each kind")
    parser.add_argument("--seed", type=int, default=1, help="the first film's seed")
    chosen = parser.parse_args(arguments)
    for path in write_samples(chosen.out, count=chosen.count, first_seed=chosen.seed):
        print(path)  # noqa: T201 - the answer of a command


if __name__ == "__main__":
    main()
