"""Prepares films as a classifier takes them: whole, and their lungs by the anatomy network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from ml.anatomy import lungs_of, outline
from ml.bundle import WEIGHTS, Bundle, Spec, load_bundle
from ml.classify import LUNGS, LUNGS_FROM_PX, film_views, views_of
from ml.imaging.lungs import cut_lungs
from ml.imaging.preprocess import prepare
from ml.runtime import Graph, load_graph
from ml.training.data import Film, cache_made, load_pixels
from ml.training.papers import newest_version

LEAST_PART = 0.015  # share of the film; smaller parts that are not black are specks
BLACK = 10  # of 255; compression leaves a little in what was cut away


class Outlines:
    """Lungs of films, by the newest exported anatomy network.

    weights: folder of bundles
    """

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self.bundle = load_bundle(weights, "anatomy", newest_version("anatomy", weights=weights))

    @cached_property
    def _graph(self) -> Graph:
        return load_graph(self.bundle)  # only where films are not in the cache yet

    def lungs(self, pixels: np.ndarray) -> np.ndarray:
        """Lungs of a film [H, W] float32; returns [M, M] bool."""
        spec = self.bundle.spec
        small = prepare(pixels, size=spec.input.size, number=spec.preprocessing)
        return lungs_of(outline(spec, self._graph, small).regions)


class Views:
    """Makes the views that a network was trained on.

    spec: the network's; weights: where the anatomy network lies, opened only where it is needed
    """

    def __init__(self, spec: Spec, weights: Path = WEIGHTS) -> None:
        self.spec = spec
        self._outlines = Outlines(weights) if LUNGS in views_of(spec) else None

    @property
    def outlined_by(self) -> str:
        """Version of the outlines as part of a file's name; empty where none are needed."""
        return "" if self._outlines is None else f"-{self._outlines.bundle.spec.version}"

    def of(self, pixels: np.ndarray) -> np.ndarray:
        """Views [V, S, S] uint8 of a film [H, W] float32."""
        lungs = self._outlines.lungs(pixels) if self._outlines is not None else None
        number = self.spec.preprocessing
        return film_views(self.spec, lambda side: prepare(pixels, size=side, number=number), lungs)


def cache_views(paths: Sequence[Path], bundle: Bundle, *, note: str) -> np.ndarray:
    """Make the views of films once, and keep them; returns [N, V, S, S] uint8."""
    spec = bundle.spec
    views = Views(spec, bundle.folder.parent.parent)
    names = "-".join(f"{view}{side}" for view, side in views_of(spec).items())
    names += views.outlined_by
    shape = (len(views_of(spec)), spec.input.size, spec.input.size)
    return cache_made(
        paths,
        lambda index: views.of(load_pixels(paths[index])),
        shape=shape,
        note=f"{note}-{names}-p{spec.preprocessing}",
        workers=1,  # an engine's request is not for two threads
    )


def lungs_left(prepared: np.ndarray) -> np.ndarray:
    """Find what is left of a film whose surroundings were made black.

    prepared: [S, S] uint8; returns: [S, S] bool
    """
    count, parts, stats, _ = cv2.connectedComponentsWithStats((prepared > BLACK).astype(np.uint8))
    least = LEAST_PART * prepared.size
    large = [part for part in range(1, count) if stats[part, cv2.CC_STAT_AREA] >= least]
    return np.isin(parts, large)


def cache_lungs(films: Sequence[Film], *, size: int, number: int, note: str) -> np.ndarray:
    """Prepare the lungs view of films once, and keep it; returns [N, size, size] uint8."""
    outlines = Outlines()

    def make(index: int) -> np.ndarray:
        pixels = load_pixels(films[index].path)
        whole = prepare(pixels, size=LUNGS_FROM_PX, number=number)
        cut_before = films[index].source == "lungs_only"
        lungs = lungs_left(whole) if cut_before else outlines.lungs(pixels)
        return cut_lungs(whole, lungs, size=size)

    paths = [film.path for film in films]
    note = f"{note}-lungs-{size}-p{number}-{outlines.bundle.spec.version}"
    return cache_made(paths, make, shape=(size, size), note=note, workers=1)
