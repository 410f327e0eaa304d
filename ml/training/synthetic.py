"""Fits the generator of synthetic films: eigen-films and eigen-shapes of normal frontal films.

Every film is first brought into the place of a common template by optical flow, so that hearts,
diaphragms and ribs lie on each other; then the greys in the template's frame and the deformations
are each reduced by a singular value decomposition, and the joint spread of both is kept. What is
stored are means, 8-bit components and one covariance factor: no film and no film's coefficients.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from ml.bundle import WEIGHTS, load_bundle, sha256_of
from ml.imaging.preprocess import prepare
from ml.imaging.synthetic import GRAPH, Generator, load_generator
from ml.training.data import SHARED, Film, read_shared_nih

SIDE = 176
FLOW_SIDE = 44
GREY_COMPONENTS = 88
SHAPE_COMPONENTS = 40
# smoothing of the flow in pixels, films looked at: coarse and few first
PASSES = ((14.0, 900), (10.0, 900), (7.0, 900), (5.0, None), (5.0, None))
DISTANCE_SIDE = 64
CHECKED_SAMPLES = 400


@dataclass(frozen=True)
class Aligned:
    """Films in the template's place.

    greys: [N, SIDE, SIDE] uint8; flows: [N, FLOW_SIDE, FLOW_SIDE, 2] float32, template to film in
    pixels of SIDE, without their affine part; zooms: [N] size of the chest against the template's
    """

    greys: np.ndarray
    flows: np.ndarray
    zooms: np.ndarray


def load_films(shared: Path, *, limit: int) -> np.ndarray:
    """Read one normal PA film of each training patient, [N, SIDE, SIDE] uint8."""
    chosen: dict[str, Film] = {}
    for film in read_shared_nih(shared, ("normals",)):
        if film.split == "train" and film.view == "PA":
            chosen.setdefault(film.patient, film)
    films = []
    for film in tqdm(list(chosen.values())[:limit], desc="films", unit="film", mininterval=5):
        pixels = cv2.imread(str(film.path), cv2.IMREAD_GRAYSCALE)
        assert pixels is not None
        films.append(prepare(pixels.astype(np.float32) / 255, size=SIDE, number=1))
    return np.stack(films)


def align(films: np.ndarray) -> Aligned:
    """Find each film's deformation against a template that sharpens from pass to pass."""
    equaliser = cv2.createCLAHE(2.0, (4, 4))
    guides = np.stack([equaliser.apply(cv2.GaussianBlur(film, (0, 0), 0.8)) for film in films])
    flows = np.zeros((len(films), SIDE, SIDE, 2), np.float32)
    template = guides.mean(axis=0, dtype=np.float32)
    for smoothing, count in PASSES:
        template = _run_pass(guides[:count], flows[:count], template, smoothing=smoothing)
    greys = np.stack(
        [warp(film, flow, method=cv2.INTER_CUBIC) for film, flow in zip(films, flows, strict=True)]
    )
    nonrigid, zooms = _take_affine_out(flows)
    return Aligned(greys, nonrigid, zooms)


def _run_pass(
    guides: np.ndarray, flows: np.ndarray, template: np.ndarray, *, smoothing: float
) -> np.ndarray:
    """Renew the flows in place; returns the next template, kept in the mean position."""
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    finder.setVariationalRefinementAlpha(40)
    finder.setFinestScale(1)
    shown = np.clip(template, 0, 255).astype(np.uint8)
    total = np.zeros((SIDE, SIDE), np.float64)
    for index in tqdm(range(len(guides)), desc="align", unit="film", mininterval=5):
        # the flow found before is where the search starts; at first that is no flow at all
        flow = finder.calc(shown, guides[index], flows[index].copy())
        flows[index] = cv2.GaussianBlur(flow, (0, 0), smoothing)
        total += warp(guides[index], flows[index])
    sharper = (total / len(guides)).astype(np.float32)
    return warp(sharper, -flows.mean(axis=0))


def warp(film: np.ndarray, flow: np.ndarray, *, method: int = cv2.INTER_LINEAR) -> np.ndarray:
    """Fetch every pixel from where the flow says, [SIDE, SIDE]."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    return np.asarray(
        cv2.remap(
            film,
            columns + flow[..., 0],
            rows + flow[..., 1],
            method,
            borderMode=cv2.BORDER_REFLECT_101,
        )
    )


def _take_affine_out(flows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split flows into a smooth rest at FLOW_SIDE and the zoom of their affine part."""
    small = np.stack(
        [cv2.resize(f, (FLOW_SIDE, FLOW_SIDE), interpolation=cv2.INTER_AREA) for f in flows]
    )
    rows, columns = (np.mgrid[0:FLOW_SIDE, 0:FLOW_SIDE] + 0.5) * (SIDE / FLOW_SIDE) - SIDE / 2
    basis = np.stack([np.ones_like(rows), columns, rows], axis=-1).reshape(-1, 3)
    flat = small.reshape(len(small), -1, 2).transpose(1, 0, 2).reshape(len(basis), -1)
    parts, *_ = np.linalg.lstsq(basis, flat, rcond=None)
    rest = (flat - basis @ parts).reshape(len(basis), len(small), 2).transpose(1, 0, 2)
    parts = parts.reshape(3, len(small), 2)
    zooms = 1 + (parts[1, :, 0] + parts[2, :, 1]) / 2
    return rest.reshape(small.shape).astype(np.float32), zooms


def reduce(rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Find the main components by a randomised singular value decomposition.

    rows: [N, D] float32
    returns: (mean [D], components [count, D], coefficients [N, count], share explained)
    source: Halko, Martinsson, Tropp, SIAM Review 53 (2011)
    """
    mean = rows.mean(axis=0)
    centred = rows - mean
    rng = np.random.default_rng(0)
    space = centred.T @ rng.normal(size=(len(rows), count + 20)).astype(np.float32)
    for _ in range(2):
        space, _ = np.linalg.qr(space)
        space = centred.T @ (centred @ space)
    space, _ = np.linalg.qr(space)
    _, _, right = np.linalg.svd(centred @ space, full_matrices=False)
    components = (right @ space.T)[:count]
    coefficients = centred @ components.T
    explained = float(coefficients.var(axis=0).sum() / centred.var(axis=0).sum())
    return mean, components, coefficients, explained


def fit(aligned: Aligned) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Make the arrays that are stored, and how much of the variance they hold."""
    count = len(aligned.greys)
    rows = aligned.greys.reshape(count, -1).astype(np.float32) / 255
    mean, greys, of_grey, explained_grey = reduce(rows, GREY_COMPONENTS)
    rows -= mean
    rows -= of_grey @ greys
    texture = rows.std(axis=0).reshape(SIDE, SIDE)
    shape_mean, shapes, of_shape, explained_shape = reduce(
        aligned.flows.reshape(count, -1), SHAPE_COMPONENTS
    )
    together = np.hstack([of_grey, of_shape]).astype(np.float64)
    spread = np.cov(together.T) + 1e-9 * np.eye(together.shape[1])
    arrays: dict[str, np.ndarray] = {
        "mean": mean.reshape(SIDE, SIDE).astype(np.float16),
        "shape_mean": shape_mean.reshape(FLOW_SIDE, FLOW_SIDE, 2).astype(np.float16),
        "factor": np.linalg.cholesky(spread).astype(np.float32),
        "texture": _in_8_bits(texture / texture.max()),
        "texture_top": np.array(texture.max(), np.float32),
        "lungs": _find_lungs(mean.reshape(SIDE, SIDE)),
        "zoom": np.array([aligned.zooms.mean(), aligned.zooms.std()], np.float32),
        **_pack("grey", greys),
        **_pack("shape", shapes),
    }
    return arrays, {"explained_grey": explained_grey, "explained_shape": explained_shape}


def _pack(name: str, components: np.ndarray) -> dict[str, np.ndarray]:
    """Store components as 8-bit integers with one scale each."""
    scales = np.abs(components).max(axis=1) / 127
    packed = np.rint(components / scales[:, None]).astype(np.int8)
    return {f"{name}_components": packed, f"{name}_scales": scales.astype(np.float32)}


def _in_8_bits(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8))


def _find_lungs(mean: np.ndarray) -> np.ndarray:
    """Find the two large dark fields of the mean film that do not touch its border."""
    grey = _in_8_bits(mean)
    middle = grey[SIDE // 8 : -SIDE // 8, SIDE // 6 : -SIDE // 6]
    threshold, _ = cv2.threshold(middle, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    count, marks, sizes, _ = cv2.connectedComponentsWithStats((grey < threshold).astype(np.uint8))
    lungs = np.zeros_like(grey)
    for mark in range(1, count):
        left, top, width, height, area = sizes[mark]
        inside = left > 0 and top > 0 and left + width < SIDE and top + height < SIDE
        if inside and area > SIDE * SIDE / 50:
            lungs[marks == mark] = 255
    return np.asarray(cv2.GaussianBlur(lungs, (0, 0), 2.5))


def measure_distances(generator: Generator, films: np.ndarray) -> dict[str, Any]:
    """Compare how near samples come to training films with how near those are to each other.

    films: [N, SIDE, SIDE] uint8, of different patients
    """
    known = _to_rows(films)
    sampled = _to_rows(
        np.stack([_in_8_bits(generator.sample(seed, SIDE)) for seed in range(CHECKED_SAMPLES)])
    )
    among_films = _nearest(known[:CHECKED_SAMPLES], known, skip_self=True)
    to_films = _nearest(sampled, known, skip_self=False)
    figures = {
        name: {
            "min": round(float(values.min()), 4),
            "p5": round(float(np.percentile(values, 5)), 4),
            "median": round(float(np.median(values)), 4),
        }
        for name, values in (("film_to_film", among_films), ("sample_to_film", to_films))
    }
    keeps = figures["sample_to_film"]["min"] >= figures["film_to_film"]["min"]
    return {
        **figures,
        "samples": CHECKED_SAMPLES,
        "films": len(films),
        "no_sample_is_nearer": keeps,
    }


def _to_rows(films: np.ndarray) -> np.ndarray:
    """Shrink films and give each mean 0 and spread 1, [N, DISTANCE_SIDE²] float32."""
    small = np.stack(
        [cv2.resize(f, (DISTANCE_SIDE, DISTANCE_SIDE), interpolation=cv2.INTER_AREA) for f in films]
    )
    rows = small.reshape(len(films), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / rows.std(axis=1, keepdims=True))


def _nearest(rows: np.ndarray, known: np.ndarray, *, skip_self: bool) -> np.ndarray:
    """Root mean square difference to the nearest known film, [N]."""
    squares = (rows**2).sum(1)[:, None] + (known**2).sum(1)[None] - 2 * rows @ known.T
    if skip_self:
        squares[np.arange(len(rows)), np.arange(len(rows))] = np.inf
    return np.asarray(np.sqrt(np.maximum(squares.min(axis=1), 0) / rows.shape[1]))


def write_arrays(version: str, arrays: dict[str, np.ndarray], shares: dict[str, float]) -> Path:
    """Write a version's folder, as yet without the check against its training films."""
    home = WEIGHTS / "synthetic" / version
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    np.savez_compressed(home / GRAPH, **arrays)  # type: ignore[arg-type]
    (home / "metrics.json").write_text(json.dumps(shares))
    return home


def complete_bundle(home: Path, films: np.ndarray) -> None:
    """Compare samples with the training films and write figures, card and spec.json."""
    version = home.name
    metrics = json.loads((home / "metrics.json").read_text())
    _write_spec(home, version)
    metrics["distances"] = measure_distances(load_generator(home), films)
    (home / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    (home / "CARD.md").write_text(make_card(version, metrics))
    _write_spec(home, version)
    load_bundle(WEIGHTS, "synthetic", version)


def _write_spec(home: Path, version: str) -> None:
    spec = {
        "name": "synthetic",
        "version": version,
        "graph": GRAPH,
        "input": {"size": SIDE, "channels": 1, "mean": 0.0, "std": 1.0},
        "preprocessing": 1,
        "labels": [],
        "outputs": ["film"],
        "calibration": {},
        "operating_points": {},
        "prevalence": {},
        "training_data": "NIH ChestX-ray14 (NIH Clinical Center; Wang et al., CVPR 2017): normal "
        "PA films by RSNA's reading, one of each patient of the training split",
        "licence": "AGPL-3.0-or-later",
        "files": {path.name: sha256_of(path) for path in sorted(home.glob("[!s]*.*"))},
    }
    (home / "spec.json").write_text(json.dumps(spec, indent=1) + "\n")


def make_card(version: str, metrics: dict[str, Any]) -> str:
    """Write what the generator is, what it was fitted on and what it must not be used for."""
    near = metrics["distances"]
    drawn, known = (
        " / ".join(str(near[kind][part]) for part in ("min", "p5", "median"))
        for kind in ("sample_to_film", "film_to_film")
    )
    return f"""# synthetic {version}

Draws soft frontal chest films that belong to nobody, for journeys, benchmarks, screenshots and a
newcomer's first drop. Eigen-films ({GREY_COMPONENTS}) and eigen-shapes ({SHAPE_COMPONENTS}) of
{near["films"]} normal PA films of NIH ChestX-ray14, one of each patient of the training split,
after alignment to a common template; texture, grain and opacities are drawn by code.

- Variance held: greys {metrics["explained_grey"]:.1%}, shapes {metrics["explained_shape"]:.1%}.
- Distance to the nearest training film (root mean square of normalised greys at
  {DISTANCE_SIDE} px), least / 5th percentile / median of {near["samples"]} samples: {drawn}.
  Between training films of different patients: {known}. The nearest sample is farther from every
  training film than the two nearest are from each other: {near["no_sample_is_nearer"]}.
- Never a training or a test film for a network of this project: fine structure is missing, and an
  opacity that is drawn in has no cause.
"""


def main(arguments: list[str] | None = None) -> None:
    """Fit, check and write a version of the generator."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder that holds nih/")
    parser.add_argument("--films", type=int, default=2600, help="films to fit on")
    parser.add_argument(
        "--version", default=datetime.datetime.now(datetime.UTC).strftime("%Y.%m.%d")
    )
    parser.add_argument(
        "--check-only", action="store_true", help="measure a version again that is there already"
    )
    chosen = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    films = load_films(chosen.shared, limit=chosen.films)
    home = WEIGHTS / "synthetic" / chosen.version
    if not chosen.check_only:
        home = write_arrays(chosen.version, *fit(align(films)))
    complete_bundle(home, films)
    print((home / "metrics.json").read_text())


if __name__ == "__main__":
    main()
