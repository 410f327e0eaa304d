"""An honest yardstick for the anomaly networks: PatchCore on the classifier's own features.

source: K. Roth et al., Towards Total Recall in Industrial Anomaly Detection, CVPR 2022. Patches of
normal training films are remembered; a film is as unusual as its most unusual patches are far from
all that is remembered. The memory is a random share of the patches, not a greedy one, and features
are projected at random, which the paper does as well to save time. Nothing is chosen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime

from ml.anomaly import THROUGH_PX
from ml.bundle import Bundle, load_release
from ml.runtime import to_input
from ml.training.anomaly import PlainFilm, read_plain_films
from ml.training.anomaly_measure import (
    boxes_by_film,
    compare_within,
    measure_areas,
    measure_pointing,
    rows_with_boxes,
)
from ml.training.data import cache_prepared
from ml.training.progress import track
from ml.training.yardstick_table import STORED

STRIDE = 16
NARROW = 256  # channels; blocks are wider inside
DIRECTIONS = 64  # of the projection
MEMORY = 3000  # patches of normal films
NORMAL_FILMS = 250  # of adults, and of children
MOST_UNUSUAL = 0.03  # share of a film's patches whose mean distance is its score
COMMAND = "python -m ml evaluate yardstick"


def open_session(model: onnx.ModelProto, outputs: Sequence[str]) -> onnxruntime.InferenceSession:
    """Load a graph with more of its inside as outputs."""
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    opened.graph.output.extend(onnx.helper.make_empty_tensor_value_info(n) for n in outputs)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        opened.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def last_features(model: onnx.ModelProto, size: int, *, views: int = 1) -> str:
    """Name the narrow features at STRIDE that the graph's first pass computes last.

    raises: ValueError where the graph has none
    """
    known = onnx.shape_inference.infer_shapes(model).graph.value_info
    channels = {
        value.name: value.type.tensor_type.shape.dim[1].dim_value
        for value in known
        if len(value.type.tensor_type.shape.dim) == 4
    }
    # the widened inside of a block has more channels than NARROW
    narrow = [o for n in model.graph.node for o in n.output if 0 < channels.get(o, 0) < NARROW]
    film = np.zeros((1, views, size, size), np.float32)
    found = open_session(model, narrow).run(narrow, {"film": film})
    sides = [value.shape[-1] for value in found]
    side = size // STRIDE
    if side not in sides:
        raise ValueError(f"the classifier has no features of {side} x {side}")
    first = sides.index(side)
    last = next((i for i in range(first, len(sides)) if sides[i] < side), len(sides)) - 1
    return narrow[last]


class Patches:
    """Makes a film's patches: features, smoothed over neighbours and projected."""

    def __init__(self, bundle: Bundle) -> None:
        self.spec = bundle.spec
        model = onnx.load(str(bundle.graph))
        self.name = last_features(model, self.spec.input.size, views=self.spec.input.channels)
        self.session = open_session(model, [self.name])
        self.axes: np.ndarray | None = None

    def of(self, film: np.ndarray) -> np.ndarray:
        """Patches [h, w, D] of a film [THROUGH_PX, THROUGH_PX] uint8."""
        size = self.spec.input.size
        whole = cv2.resize(film, (size, size), interpolation=cv2.INTER_LINEAR)
        (found,) = self.session.run([self.name], {"film": to_input(whole, self.spec.input)})
        features = np.moveaxis(found[0], 0, -1).astype(np.float32)  # [h, w, C]
        smooth = cv2.blur(features, (3, 3))
        if self.axes is None:
            rng = np.random.default_rng(0)
            shape = (features.shape[-1], DIRECTIONS)
            self.axes = (rng.normal(size=shape) / np.sqrt(DIRECTIONS)).astype(np.float32)
        return np.asarray(smooth @ self.axes, np.float32)


def remember(patches: Patches, films: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """A memory of normal patches, [MEMORY, D], drawn evenly from films [N, S, S] uint8."""
    each = -(-MEMORY // len(films))
    parts = []
    for film in track(films, total=len(films), label="normal films"):
        flat = patches.of(film).reshape(-1, DIRECTIONS)
        parts.append(flat[rng.choice(len(flat), min(each, len(flat)), replace=False)])
    return np.concatenate(parts)


def distances(flat: np.ndarray, memory: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Distance of each of [N, D] to the nearest of the memory [M, D]; squares: its norms [M]."""
    apart = (flat**2).sum(1)[:, None] + squares[None] - 2 * flat @ memory.T
    return np.asarray(np.sqrt(np.maximum(apart.min(1), 0)))


def score_films(
    patches: Patches, films: np.ndarray, memory: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scores [N] and maps [N, h, w] of films [N, S, S] uint8."""
    squares = (memory**2).sum(1)
    scores, maps = [], []
    for film in track(films, total=len(films), label="films"):
        own = patches.of(film)
        far = distances(own.reshape(-1, DIRECTIONS), memory, squares)
        count = max(1, round(MOST_UNUSUAL * len(far)))
        scores.append(float(np.sort(far)[-count:].mean()))
        maps.append(far.reshape(own.shape[:2]))
    return np.array(scores), np.stack(maps)


def normal_films(films: Sequence[PlainFilm]) -> list[PlainFilm]:
    """Normal training films: as many of adults as of children, where there are enough."""
    normal = [f for f in films if f.split == "train" and f.truth == "normal"]
    adults = [f for f in normal if f.group != "children"]
    children = [f for f in normal if f.group == "children"]
    step = max(1, len(adults) // NORMAL_FILMS)
    return adults[::step][:NORMAL_FILMS] + children[:NORMAL_FILMS]


def measure(data: Path) -> dict[str, Any]:
    """The figures that the anomaly networks have, on the same test films."""
    bundle = load_release().bundles["classifier"]
    films = read_plain_films(data)
    test = [film for film in films if film.split == "test" and film.group != "normals"]
    number = bundle.spec.preprocessing

    def load(part: Sequence[PlainFilm], note: str) -> np.ndarray:
        return cache_prepared([f.path for f in part], size=THROUGH_PX, number=number, note=note)

    patches = Patches(bundle)
    normal = load(normal_films(films), "yardstick-train")
    memory = remember(patches, normal, rng=np.random.default_rng(0))
    scores, maps = score_films(patches, load(test, "yardstick-test"), memory)
    boxes = boxes_by_film(data)
    boxed = rows_with_boxes(test, boxes)
    areas = measure_areas(test, compare_within(test, data), scores)
    del areas["opacity_v_all_normals"]  # the list `normals` is left out here
    return {
        "command": COMMAND,
        "classifier": bundle.spec.version,
        "patches": len(memory),
        "test": areas,
        "pointing_at_nih_boxes": measure_pointing([test[r] for r in boxed], maps[boxed], boxes),
    }


def write(data: Path, *, path: Path = STORED) -> Mapping[str, Any]:
    """Measure and store; returns what was stored."""
    figures = measure(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n")
    return figures
