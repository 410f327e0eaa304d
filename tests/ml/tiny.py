"""A whole release of a few kB: real graphs with few weights, for tests and without torch.

What it says of a film has no medical meaning, but depends on the film: the classifier weighs the
grey of 4 × 4 fields, the gate refuses what is nearly white, the anomaly networks measure texture.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ml.bundle import seal_of, sha256_of
from ml.vocabulary import BOX_LABELS, CLASSIFIER_LABELS

SIZE = 32
VERSION = "1"
RELEASE = "tiny"

Node = onnx.NodeProto
Weights = dict[str, np.ndarray]


def build_release(folder: Path, *, name: str = RELEASE) -> Path:
    """Write all bundles and the release; returns the folder for XRAYDX_WEIGHTS."""
    members = {
        "gate": _gate(),
        "classifier": _classifier(),
        "detector": _detector(),
        "anatomy": _anatomy(),
        "unet": _anomaly(3),
        "reversed_ae": _anomaly(5),
        "paediatric": _paediatric(),
    }
    for member, (graph, spec) in members.items():
        write_bundle(folder, member, graph, spec)
    write_release(folder, name, dict.fromkeys(members, VERSION))
    return folder


def write_bundle(folder: Path, member: str, graph: onnx.ModelProto, spec: dict[str, Any]) -> None:
    home = folder / member / VERSION
    home.mkdir(parents=True, exist_ok=True)
    onnx.save(graph, str(home / "graph.onnx"))
    (home / "metrics.json").write_text("{}\n")
    (home / "CARD.md").write_text(f"# {member}\n")
    whole = {
        "name": member,
        "version": VERSION,
        "graph": "graph.onnx",
        "input": {"size": SIZE, "channels": 1, "mean": 0.0, "std": 255.0},
        "preprocessing": 1,
        "labels": [],
        "outputs": [output.name for output in graph.graph.output],
        "calibration": {},
        "operating_points": {},
        "prevalence": {},
        "training_data": "none",
        "licence": "AGPL-3.0-only",
        "settings": {},
        "files": {
            file: sha256_of(home / file) for file in ("graph.onnx", "metrics.json", "CARD.md")
        },
    }
    (home / "spec.json").write_text(json.dumps(whole | spec, indent=1))


def write_release(folder: Path, name: str, members: dict[str, str]) -> Path:
    release: dict[str, Any] = {
        "name": name,
        "created": "2026-01-01",
        "members": members,
        "specs": {
            member: sha256_of(folder / member / version / "spec.json")
            for member, version in members.items()
        },
    }
    release["seal"] = seal_of(release)
    path = folder / "releases" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(release, indent=1))
    return path


def _model(nodes: list[Node], weights: Weights, outputs: dict[str, list[int]]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("film", TensorProto.FLOAT, [1, 1, SIZE, SIZE])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in outputs.items()
        ],
        [numpy_helper.from_array(value, name=name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _points(labels: tuple[str, ...], threshold: float) -> dict[str, Any]:
    point = {"threshold": threshold, "sensitivity": 0.9, "specificity": 0.5}
    return {label: {"alert": point} for label in labels}


def _f32(*values: Any) -> np.ndarray:
    return np.array(values, np.float32)


def _gate() -> tuple[onnx.ModelProto, dict[str, Any]]:
    nodes = [
        helper.make_node("GlobalAveragePool", ["film"], ["mean4"]),
        helper.make_node("Flatten", ["mean4"], ["mean"]),
        helper.make_node("Sub", ["mean", "white"], ["beyond"]),
        helper.make_node("HardSigmoid", ["beyond"], ["other"], alpha=50.0, beta=0.0),
        helper.make_node("Mul", ["other", "to_kinds"], ["shift"]),
        helper.make_node("Add", ["shift", "frontal"], ["kinds"]),
        helper.make_node("Mul", ["mean", "no_turns"], ["still"]),
        helper.make_node("Add", ["still", "upright"], ["turns"]),
        helper.make_node("Mul", ["mean", "nothing"], ["inverted"]),
    ]
    weights = {
        "white": _f32([0.85]),
        "to_kinds": _f32([-1, 0, 0, 0, 1]),
        "frontal": _f32([1, 0, 0, 0, 0]),
        "no_turns": _f32([0, 0, 0, 0]),
        "upright": _f32([1, 0, 0, 0]),
        "nothing": _f32([0]),
    }
    outputs = {"kinds": [1, 5], "turns": [1, 4], "inverted": [1, 1]}
    settings = {"thresholds": {"frontal": 0.5, "turned": 0.5, "inverted": 0.5}}
    return _model(nodes, weights, outputs), {"settings": settings}


def _classifier() -> tuple[onnx.ModelProto, dict[str, Any]]:
    count = len(CLASSIFIER_LABELS)
    rng = np.random.default_rng(5)
    nodes = [
        helper.make_node("AveragePool", ["film"], ["fields"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Conv", ["fields", "head", "bias"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["maps"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["logits"]),
    ]
    weights = {
        "head": rng.normal(0, 4, (count, 1, 1, 1)).astype(np.float32),
        "bias": rng.normal(0, 1, count).astype(np.float32),
    }
    spec = {
        "labels": list(CLASSIFIER_LABELS),
        "calibration": {label: {"slope": 1.0, "intercept": -0.5} for label in CLASSIFIER_LABELS},
        "operating_points": _points(CLASSIFIER_LABELS, 0.4),
        "prevalence": dict.fromkeys(CLASSIFIER_LABELS, 0.1),
    }
    return _model(nodes, weights, {"logits": [1, count], "maps": [1, count, 4, 4]}), spec


def _paediatric() -> tuple[onnx.ModelProto, dict[str, Any]]:
    nodes = [
        helper.make_node("AveragePool", ["film"], ["fields"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Conv", ["fields", "head"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["maps"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["logits"]),
    ]
    weights = {"head": np.full((1, 1, 1, 1), 2.0, np.float32)}
    spec = {
        "labels": ["Pneumonia"],
        "calibration": {"Pneumonia": {"slope": 1.0, "intercept": -1.0}},
        "operating_points": _points(("Pneumonia",), 0.5),
        "prevalence": {"Pneumonia": 0.5},
        "settings": {"ages": [1, 6]},
    }
    return _model(nodes, weights, {"logits": [1, 1], "maps": [1, 1, 4, 4]}), spec


def _detector() -> tuple[onnx.ModelProto, dict[str, Any]]:
    nodes = [
        helper.make_node("GlobalAveragePool", ["film"], ["mean4"]),
        helper.make_node("Squeeze", ["mean4", "axis"], ["mean"]),
        helper.make_node("Mul", ["mean", "weights"], ["scores"]),
        helper.make_node("Mul", ["mean", "nowhere"], ["still"]),
        helper.make_node("Add", ["still", "corners"], ["boxes"]),
    ]
    weights = {
        "axis": np.array([3], np.int64),
        "weights": np.linspace(0.02, 1.6, 24, dtype=np.float32).reshape(1, 3, 8),
        "nowhere": np.zeros((1, 3, 4), np.float32),
        "corners": _f32([[0.2, 0.3, 0.4, 0.5], [0.55, 0.5, 0.8, 0.75], [0.6, 0.2, 0.7, 0.3]])[0][
            None
        ],
    }
    spec = {"labels": list(BOX_LABELS), "operating_points": _points(BOX_LABELS, 0.5)}
    return _model(nodes, weights, {"boxes": [1, 3, 4], "scores": [1, 3, 8]}), spec


def _anatomy() -> tuple[onnx.ModelProto, dict[str, Any]]:
    masks = np.zeros((1, 4, SIZE, SIZE), np.float32)
    masks[:, 0] = 0.5
    masks[:, 2, 6:26, 4:14] = 1  # the patient's right lung, on the viewer's left
    masks[:, 1, 6:26, 18:28] = 1
    masks[:, 3, 16:26, 11:21] = 2
    nodes = [
        helper.make_node("Mul", ["film", "nothing"], ["still"]),
        helper.make_node("Add", ["still", "masks"], ["probability"]),
    ]
    weights = {"nothing": _f32(0), "masks": masks}
    return _model(nodes, weights, {"probability": [1, 4, SIZE, SIZE]}), {}


def _anomaly(kernel: int) -> tuple[onnx.ModelProto, dict[str, Any]]:
    pads = [kernel // 2] * 4
    nodes = [
        helper.make_node(
            "AveragePool", ["film"], ["rebuilt"], kernel_shape=[kernel] * 2, pads=pads
        ),
        helper.make_node("Sub", ["film", "rebuilt"], ["signed"]),
        helper.make_node("Abs", ["signed"], ["absolute"]),
        helper.make_node("Squeeze", ["absolute", "axis1"], ["error"]),
        helper.make_node("ReduceMean", ["absolute"], ["distance"], axes=[1, 2, 3], keepdims=0),
    ]
    weights = {"axis1": np.array([1], np.int64)}
    table = {"distance": [0.0, 0.02, 0.05, 0.1, 0.2], "log_beyond": [0.0, -0.5, -1.0, -2.0, -4.0]}
    outputs = {"distance": [1], "error": [1, SIZE, SIZE]}
    return _model(nodes, weights, outputs), {"settings": {"percentiles": table}}
