"""What the classifier's figures lose when films are altered, and whether a reading repeats itself.

Every alteration is made on the stored film before it is prepared, as a sender might have made it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ml.bundle import Release, load_release
from ml.gate import Gate, load_gate
from ml.imaging.radiograph import Header, Radiograph
from ml.read import Reader, load_reader
from ml.runtime import load_graph, to_input
from ml.training.classifier_report import films_of
from ml.training.data import Film, load_pixels
from ml.training.metrics import bootstrap, mean_auc
from ml.training.progress import track
from ml.training.robustness_table import STORED
from ml.training.targets import published_truth
from ml.training.views import Views
from ml.vocabulary import NAMES

FILMS = 250  # of the test films, drawn once
REPEATED = 12
COMMAND = "python -m ml evaluate robustness"

Alteration = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def _through_jpeg(pixels: np.ndarray, _: np.random.Generator) -> np.ndarray:
    packed = cv2.imencode(".jpg", (pixels * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 30])
    opened = np.asarray(cv2.imdecode(packed[1], cv2.IMREAD_GRAYSCALE), np.float32)
    return opened / np.float32(255)


def _down(pixels: np.ndarray, _: np.random.Generator) -> np.ndarray:
    height, width = pixels.shape
    factor = 256 / min(height, width)
    size = (round(width * factor), round(height * factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def _noisy(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = rng.normal(0, 0.05, pixels.shape).astype(np.float32)
    return np.asarray(np.clip(pixels + noise, 0, 1), np.float32)


def _turned(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = pixels.shape
    angle = float(rng.uniform(-5, 5))
    affine = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    return np.asarray(cv2.warpAffine(pixels, affine, (width, height)))


def _lettered(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = pixels.shape
    marked = (pixels * 255).astype(np.uint8)
    for text in ("L", "AP SUPINE", "12:30"):
        place = (int(rng.uniform(0, 0.7) * width), int(rng.uniform(0.08, 1) * height))
        size = min(height, width) / 448
        cv2.putText(marked, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, 255, 2)
    return marked.astype(np.float32) / np.float32(255)


ALTERATIONS: dict[str, Alteration] = {
    "as it is": lambda pixels, _: pixels,
    "JPEG of quality 30": _through_jpeg,
    "short side scaled down to 256 px": _down,
    "gamma 0.5": lambda pixels, _: np.sqrt(pixels),
    "gamma 2": lambda pixels, _: np.square(pixels),
    "noise, spread 5 % of the range": _noisy,
    "turned by up to 5 degrees": _turned,
    "three burned-in texts": _lettered,
}


def read_altered(
    release: Release, gate: Gate, films: list[Film], alter: Alteration
) -> tuple[np.ndarray, float]:
    """Logits [N, 13] of altered films, and the share that the gate refuses."""
    bundle = release.bundles["classifier"]
    spec, graph = bundle.spec, load_graph(bundle)
    views = Views(spec, bundle.folder.parent.parent)
    columns = [spec.labels.index(name) for name in NAMES]
    rng = np.random.default_rng(0)
    rows, refused = [], 0
    for film in track(films, total=len(films), label="altered films"):
        pixels = np.asarray(alter(load_pixels(film.path), rng), np.float32)
        refused += gate.check(pixels).refusal is not None
        rows.append(graph.run(to_input(views.of(pixels), spec.input))[0][0][columns])
    return np.stack(rows), refused / len(films)


def compare(
    truth: np.ndarray, plain: np.ndarray, altered: np.ndarray, patients: list[str]
) -> dict[str, Any]:
    """Mean AUC of the altered films and what it loses, with the interval of the difference."""

    def lost(has_it: np.ndarray, both: np.ndarray) -> float:
        return mean_auc(has_it, both[:, 1]) - mean_auc(has_it, both[:, 0])

    both = np.stack([plain, altered], 1)  # [N, 2, 13]
    change = bootstrap(lost, truth, both, groups=patients, rounds=200)
    return {"mean AUC": round(mean_auc(truth, altered), 4), "change": change.rounded()}


def repeats(reader: Reader, again: Reader, films: list[Film]) -> bool:
    """Whether two readers give every film the same reading and maps, to the last bit."""
    for film in films:
        pixels = load_pixels(film.path)
        height, width = pixels.shape
        header = Header(format="png", width=width, height=height, frames=1, bits=8)
        radiograph = Radiograph(pixels=pixels, header=header, corrections=())
        first, second = reader.read(radiograph), again.read(radiograph)
        same = {**first.to_json(), "timings_ms": None} == {**second.to_json(), "timings_ms": None}
        if not same or first.maps.keys() != second.maps.keys():
            return False
        if any(not np.array_equal(first.maps[name], second.maps[name]) for name in first.maps):
            return False
    return True


def measure(data: Path) -> dict[str, Any]:
    """Everything on the page about altered films."""
    release = load_release()
    gate = load_gate(release.bundles["gate"], load_graph(release.bundles["gate"]))
    films = films_of(data, "test")
    drawn = np.random.default_rng(0).permutation(len(films))[:FILMS]
    films = [films[row] for row in np.sort(drawn)]
    truth = published_truth(films)[:, : len(NAMES)]
    patients = [film.patient for film in films]
    plain: np.ndarray | None = None
    table: dict[str, Any] = {}
    for name, alter in ALTERATIONS.items():
        logits, refused = read_altered(release, gate, films, alter)
        plain = logits if plain is None else plain
        table[name] = {**compare(truth, plain, logits, patients), "refused": round(refused, 4)}
    return {
        "command": COMMAND,
        "classifier": release.bundles["classifier"].spec.version,
        "films": len(films),
        "alterations": table,
        "repeated": {
            "films": REPEATED,
            "identical": repeats(load_reader(), load_reader(), films[:REPEATED]),
        },
    }


def write(data: Path, *, path: Path = STORED) -> Mapping[str, Any]:
    """Measure and store; returns what was stored."""
    figures = measure(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n")
    return figures
