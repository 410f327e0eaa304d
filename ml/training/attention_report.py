"""Measures attention maps on boxes that a radiologist drew, beside chance; and the detector alike.

Pointing: does the map's strongest place lie in a box of the finding. IoBB: how much of the map's
own box (around the connected region over half its peak that holds the peak) lies in the finding's
box, as in Wang et al., CVPR 2017. Chance is the same of another film's map of the same finding,
which knows where such findings mostly lie, and, for pointing, also of a place drawn evenly.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from onnx import numpy_helper
from scipy.stats import spearmanr

from ml.attention import activation_map
from ml.bundle import Bundle, Input
from ml.runtime import Graph, load_graph, open_graph, to_input
from ml.training.data import Box, Film, cache_prepared, read_boxes, read_layout
from ml.training.metrics import bootstrap
from ml.training.views import cache_views
from ml.vocabulary import BOX_LABELS

FINE = 64  # side to which maps are enlarged before they are measured
LEVELS = (0.1, 0.25, 0.5)
RANDOMISED_FILMS = 60


def enlarge(heat: np.ndarray) -> np.ndarray:
    """A map [h, w] as [FINE, FINE], as pages enlarge it."""
    return np.asarray(cv2.resize(heat, (FINE, FINE), interpolation=cv2.INTER_LINEAR))


def peak_of(heat: np.ndarray) -> tuple[float, float]:
    """The strongest place as x, y in fractions."""
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    return (float(column) + 0.5) / heat.shape[1], (float(row) + 0.5) / heat.shape[0]


def box_of(heat: np.ndarray) -> np.ndarray:
    """Box around the connected region over half the peak that holds the peak; x0, y0, x1, y1."""
    above = (heat >= heat.max() / 2).astype(np.uint8)
    _, regions = cv2.connectedComponents(above)
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    rows, columns = np.nonzero(regions == regions[row, column])
    height, width = heat.shape
    return np.array(
        [
            columns.min() / width, rows.min() / height,
            (columns.max() + 1) / width, (rows.max() + 1) / height,
        ]
    )  # fmt: skip


def inside(place: tuple[float, float], boxes: np.ndarray) -> bool:
    """Does x, y lie in any of the boxes [N, 4]."""
    x, y = place
    return bool(
        ((boxes[:, 0] <= x) & (x <= boxes[:, 2]) & (boxes[:, 1] <= y) & (y <= boxes[:, 3])).any()
    )


def cover(own: np.ndarray, boxes: np.ndarray) -> float:
    """Largest share of a box that lies in one of the boxes [N, 4] (intersection over own area)."""
    corner0, corner1 = np.maximum(own[:2], boxes[:, :2]), np.minimum(own[2:], boxes[:, 2:])
    shared = np.prod(np.clip(corner1 - corner0, 0, None), axis=1)
    return float(shared.max() / max(float(np.prod(own[2:] - own[:2])), 1e-9))


def boxed_findings(
    boxes: Sequence[Box], films: Sequence[Film]
) -> list[tuple[int, str, np.ndarray]]:
    """Each boxed finding: index of its film, label, all its boxes there [K, 4]."""
    index = {film.name: number for number, film in enumerate(films)}
    found: dict[tuple[int, str], list[tuple[float, ...]]] = {}
    for box in boxes:
        if box.film in index and box.label in BOX_LABELS:
            found.setdefault((index[box.film], box.label), []).append(box.corners)
    return [(row, label, np.array(own)) for (row, label), own in sorted(found.items())]


def _pixels(films: Sequence[Film], bundle: Bundle) -> np.ndarray:
    note = f"attention-{bundle.spec.name}"
    return cache_views([film.path for film in films], bundle, note=note)


def _maps(graph: Graph, bundle: Bundle, pixels: np.ndarray) -> np.ndarray:
    """Maps of all labels for each film; returns [N, L, h, w]."""
    expected = bundle.spec.input
    return np.stack([graph.run(to_input(np.asarray(film), expected))[1][0] for film in pixels])


def _marks(
    findings: Sequence[tuple[int, str, np.ndarray]], heats: Sequence[np.ndarray], seed: int = 0
) -> dict[str, np.ndarray]:
    """What each finding's map hits: pointing, IoBB, and the same of another film's map."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[float]] = {name: [] for name in ("point", "iobb", "other", "other iobb")}
    for number, (film, label, boxes) in enumerate(findings):
        rows["point"].append(inside(peak_of(heats[number]), boxes))
        rows["iobb"].append(cover(box_of(heats[number]), boxes))
        others = [k for k, f in enumerate(findings) if f[1] == label and f[0] != film]
        other = heats[int(rng.choice(others))] if others else heats[number][:, ::-1]
        rows["other"].append(inside(peak_of(other), boxes))
        rows["other iobb"].append(cover(box_of(other), boxes))
    return {name: np.array(values, np.float64) for name, values in rows.items()}


def _shares(point: np.ndarray, iobb: np.ndarray, patients: Sequence[str]) -> dict[str, Any]:
    def mean(values: np.ndarray, _unused: np.ndarray) -> float:
        return float(values.mean())

    figures = {"pointing": bootstrap(mean, point, point, groups=patients).rounded()}
    for level in LEVELS:
        hits = (iobb >= level).astype(np.float64)
        figures[f"IoBB of {level} or more"] = bootstrap(mean, hits, hits, groups=patients).rounded()
    return figures


def _test_findings(data: Path) -> tuple[list[Film], list[tuple[int, str, np.ndarray]]]:
    """Test films with boxes, and their boxed findings; none where the films have no boxes."""
    try:
        boxes = read_boxes(data)
    except FileNotFoundError:
        return [], []
    boxed = {box.film for box in boxes}
    films = [f for f in read_layout(data) if f.split == "test" and f.name in boxed]
    return films, boxed_findings(boxes, films)


def measure_boxes(
    graph: Graph, expected: Input, *, number: int, labels: Sequence[str], data: Path
) -> dict[str, Any]:
    """Pointing and IoBB of a detector's highest-scoring box of each finding, on the same films.

    number: of the detector's preprocessing
    """
    films, findings = _test_findings(data)
    pixels = cache_prepared(
        [film.path for film in films], size=expected.size, number=number, note="boxed-test"
    )
    seen = {
        row: graph.run(to_input(np.asarray(pixels[row]), expected))
        for row in sorted({row for row, _, _ in findings})
    }
    point, iobb = [], []
    for row, label, boxes in findings:
        given, scores = seen[row][0][0], seen[row][1][0]
        best = np.clip(given[int(scores[:, labels.index(label)].argmax())], 0, 1)
        centre = (float(best[0] + best[2]) / 2, float(best[1] + best[3]) / 2)
        point.append(inside(centre, boxes))
        iobb.append(cover(best, boxes))
    patients = [films[row].patient for row, _, _ in findings]
    return _shares(np.array(point, np.float64), np.array(iobb), patients)


def measure_attention(classifier: Bundle, *, data: Path) -> dict[str, Any]:
    """Figures of the classifier's maps on the boxes of the test films; none without boxes."""
    films, findings = _test_findings(data)
    if not findings:
        return {}
    pixels = _pixels(films, classifier)
    labels = classifier.spec.labels
    maps = _maps(load_graph(classifier), classifier, pixels)
    heats = [
        enlarge(activation_map(maps[row], labels=labels, label=label)) for row, label, _ in findings
    ]
    marks = _marks(findings, heats)
    patients = [films[row].patient for row, _, _ in findings]
    area = [float(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).sum()) for _, _, boxes in findings]
    figures: dict[str, Any] = {
        "boxed findings": len(findings),
        "maps": _shares(marks["point"], marks["iobb"], patients),
        "chance, another film's map": _shares(marks["other"], marks["other iobb"], patients),
        "chance, a place drawn evenly": {"pointing": round(float(np.mean(area)), 4)},
        "pointing by finding": _by_label(findings, marks["point"]),
    }
    figures["weights shuffled"] = measure_shuffled(classifier, pixels, maps, findings)
    return figures


def _by_label(
    findings: Sequence[tuple[int, str, np.ndarray]], point: np.ndarray
) -> Mapping[str, float]:
    return {
        label: round(float(point[[f[1] == label for f in findings]].mean()), 3)
        for label in BOX_LABELS
        if any(f[1] == label for f in findings)
    }


def shuffle_weights(path: Path, target: Path, *, head_only: bool, seed: int = 0) -> None:
    """Write a graph whose weights are permuted: those of the head, or all of them.

    head_only: the last convolution alone, whose outputs are the maps
    """
    model = onnx.load(str(path))
    makers = {node.output[0]: node for node in model.graph.node}
    head = [node for node in model.graph.node if node.op_type == "Conv"][-1].input[1]
    while head in makers:  # through what turns stored weights back to float32
        head = makers[head].input[0]
    rng = np.random.default_rng(seed)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        weighs = values.dtype.kind == "f" or values.dtype == np.int8
        if values.size < 2 or not weighs or (head_only and tensor.name != head):
            continue
        shuffled = rng.permutation(values.reshape(-1)).reshape(values.shape)
        tensor.CopyFrom(numpy_helper.from_array(shuffled.astype(values.dtype), tensor.name))
    onnx.save(model, str(target))


def measure_shuffled(
    bundle: Bundle,
    pixels: np.ndarray,
    maps: np.ndarray,
    findings: Sequence[tuple[int, str, np.ndarray]],
) -> dict[str, Any]:
    """How much maps keep of themselves when weights are shuffled; a map of the network keeps none.

    returns: mean rank correlation with the true maps, and pointing, of shuffled networks
    source: Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018
    """
    chosen = [f for f in findings if f[0] < RANDOMISED_FILMS]
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, head_only in (("the head's", True), ("all", False)):
            path = Path(folder) / "graph.onnx"
            shuffle_weights(bundle.graph, path, head_only=head_only)
            graph = open_graph(path, outputs=bundle.spec.outputs, backend="onnx", threads=1)
            other = _maps(graph, bundle, pixels[:RANDOMISED_FILMS])
            figures[name] = _likeness(bundle, maps, other, chosen)
    return figures


def _likeness(
    bundle: Bundle,
    maps: np.ndarray,
    other: np.ndarray,
    findings: Sequence[tuple[int, str, np.ndarray]],
) -> dict[str, Any]:
    """How alike two networks' maps are on the same findings, and where each points."""
    labels = bundle.spec.labels
    alike, points = [], []
    for row, label, boxes in findings:
        column = labels.index(label)
        alike.append(spearmanr(maps[row, column].ravel(), other[row, column].ravel())[0])
        points.append(
            [
                inside(peak_of(enlarge(activation_map(own, labels=labels, label=label))), boxes)
                for own in (other[row], maps[row])
            ]
        )
    shuffled, true = np.mean(points, axis=0)
    return {
        "findings": len(findings),
        "rank correlation": round(float(np.nanmean(alike)), 3),
        "pointing": round(float(shuffled), 3),
        "pointing of the true maps on these": round(float(true), 3),
    }
