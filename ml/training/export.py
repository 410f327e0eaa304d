"""Writes bundles and releases: graph in ONNX with weights stored in 16 bits, spec, figures, card.

Every network is exported by the same call, whatever it is: write_bundle. Weights are stored as
float16 and turned back to float32 by the graph itself, so engines compute in float32 as before;
parity.npz holds drawn phantoms and what torch makes of them, for the test that engines agree.
"""

from __future__ import annotations

import datetime
import json
import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from ml.bundle import (
    WEIGHTS,
    Bundle,
    Calibration,
    Input,
    OperatingPoint,
    load_bundle,
    load_release,
    seal_of,
    sha256_of,
)
from ml.imaging.phantom import draw_phantom
from ml.imaging.preprocess import prepare
from ml.runtime import to_input

OPSET = 17
PARITY_FILMS = 2
LARGE = 256  # elements from which a tensor is stored in 16 bits


@dataclass(frozen=True)
class Evidence:
    """What the card and spec.json say beyond the graph.

    purpose: one sentence; metrics: nested figures, each leaf a number, a text or an Interval's dict
    """

    purpose: str
    training_data: str
    licence: str
    metrics: Mapping[str, Any]
    limits: Sequence[str] = ()


@dataclass(frozen=True)
class Contract:
    """How the graph is fed and understood; becomes spec.json."""

    input: Input
    preprocessing: int
    labels: Sequence[str]
    outputs: Sequence[str]
    operating_points: Mapping[str, Mapping[str, OperatingPoint]]
    calibration: Mapping[str, Calibration] = field(default_factory=dict)
    prevalence: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


def store_in_16_bits(graph: onnx.ModelProto) -> None:
    """Store large weights as float16 with a Cast back to float32, in place.

    raises: ValueError where a weight is out of float16's range
    """
    casts = []
    for tensor in list(graph.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < LARGE:
            continue
        if np.abs(values).max() > np.finfo(np.float16).max:
            raise ValueError(f"{tensor.name} holds a weight too large for 16 bits")
        stored = f"{tensor.name}.f16"
        graph.graph.initializer.remove(tensor)
        graph.graph.initializer.append(
            numpy_helper.from_array(values.astype(np.float16), name=stored)
        )
        casts.append(helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)


def write_graph(network: nn.Module, path: Path, *, expected: Input, outputs: Sequence[str]) -> None:
    """Export a network to ONNX.

    network: takes [1, C, S, S] float32 and returns a tensor or a tuple in the order of outputs
    """
    network.eval()
    film = torch.zeros(1, expected.channels, expected.size, expected.size)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            network,
            (film,),
            str(path),
            input_names=["film"],
            output_names=list(outputs),
            opset_version=OPSET,
            dynamo=False,
        )
    graph = onnx.load(str(path))
    store_in_16_bits(graph)
    graph.doc_string = ""
    graph.producer_name, graph.producer_version = "xraydx", ""
    for node in graph.graph.node:
        node.doc_string = ""
    onnx.checker.check_model(graph)
    onnx.save(graph, str(path))


def parity_films(size: int, number: int) -> np.ndarray:
    """Drawn phantoms, prepared; returns [PARITY_FILMS, size, size] uint8."""
    films = [draw_phantom(seed, 448, lesions=seed).film for seed in range(PARITY_FILMS)]
    return np.stack([prepare(film, size=size, number=number) for film in films])


def write_parity(network: nn.Module, path: Path, *, contract: Contract) -> None:
    """Store what torch makes of the phantoms."""
    films = parity_films(contract.input.size, contract.preprocessing)
    stored: dict[str, list[np.ndarray]] = {name: [] for name in contract.outputs}
    for film in films:
        with torch.inference_mode():
            outputs = network.eval()(torch.from_numpy(to_input(film, contract.input)))
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        for name, output in zip(contract.outputs, outputs, strict=True):
            stored[name].append(output.numpy()[0])
    arrays = {name: np.stack(parts).astype(np.float32) for name, parts in stored.items()}
    np.savez_compressed(path, film=films, **arrays)


def _figures(metrics: Mapping[str, Any], path: str = "") -> list[tuple[str, str]]:
    """Flatten nested figures to rows of (name, value)."""
    rows: list[tuple[str, str]] = []
    for name, value in metrics.items():
        label = f"{path} · {name}" if path else str(name)
        if isinstance(value, Mapping) and {"value", "low", "high"} <= set(value):
            rows.append((label, f"{value['value']:.3f} ({value['low']:.3f}–{value['high']:.3f})"))
        elif isinstance(value, Mapping):
            rows.extend(_figures(value, label))
        elif isinstance(value, float):
            rows.append((label, f"{value:.4g}"))
        else:
            rows.append((label, str(value)))
    return rows


def make_card(title: str, contract: Contract, evidence: Evidence) -> str:
    """Write the card from the same figures that metrics.json holds."""
    expected = contract.input
    limits = list(evidence.limits) or ["Not measured on films of other hospitals."]
    rows = "\n".join(f"| {name} | {value} |" for name, value in _figures(evidence.metrics))
    return f"""# {title}

{evidence.purpose}

| what | value |
|---|---|
| input | {expected.size} × {expected.size} px, {expected.channels} channel, (grey − {expected.mean:g}) / {expected.std:g} |
| preprocessing | number {contract.preprocessing} |
| outputs | {", ".join(contract.outputs)} |
| labels | {", ".join(contract.labels)} |
| licence of the weights | {evidence.licence} |

## Training data

{evidence.training_data}

## Figures

In brackets: 95 % bootstrap interval.

| what | value |
|---|---|
{rows}

## Limits

{chr(10).join(f"- {limit}" for limit in limits)}
- A support for a physician's reading, not a medical device, and no substitute for a radiologist.
"""


def write_bundle(
    member: str,
    version: str,
    network: nn.Module,
    *,
    contract: Contract,
    evidence: Evidence,
    weights: Path = WEIGHTS,
) -> Bundle:
    """Export one network with all that belongs to it, and read it back as serving will.

    raises: ml.bundle.ReleaseError where what was written is not a whole bundle
    """
    home = weights / member / version
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    write_graph(network, home / "graph.onnx", expected=contract.input, outputs=contract.outputs)
    write_parity(network, home / "parity.npz", contract=contract)
    (home / "metrics.json").write_text(json.dumps(evidence.metrics, indent=1) + "\n")
    (home / "CARD.md").write_text(make_card(f"{member} {version}", contract, evidence))
    write_spec(home, member, version, contract=contract, evidence=evidence)
    return load_bundle(weights, member, version)


def write_spec(
    home: Path, member: str, version: str, *, contract: Contract, evidence: Evidence
) -> None:
    """Write spec.json over the files that lie in the folder already."""
    spec = {
        "name": member,
        "version": version,
        "graph": "graph.onnx",
        "input": asdict(contract.input),
        "preprocessing": contract.preprocessing,
        "labels": list(contract.labels),
        "outputs": list(contract.outputs),
        "calibration": {key: asdict(value) for key, value in contract.calibration.items()},
        "operating_points": {
            label: {name: asdict(point) for name, point in points.items()}
            for label, points in contract.operating_points.items()
        },
        "prevalence": dict(contract.prevalence),
        "training_data": evidence.training_data,
        "licence": evidence.licence,
        "settings": dict(contract.settings),
        "files": {
            path.name: sha256_of(path)
            for path in sorted(home.iterdir())
            if path.name != "spec.json"
        },
    }
    (home / "spec.json").write_text(json.dumps(spec, indent=1) + "\n")


def write_release(name: str, members: Mapping[str, str], *, weights: Path = WEIGHTS) -> Path:
    """Bind versions into a release and load it as serving will.

    members: member → version
    raises: ml.bundle.ReleaseError where they do not make a release
    """
    release: dict[str, Any] = {
        "name": name,
        "created": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "members": dict(members),
        "specs": {
            member: sha256_of(weights / member / version / "spec.json")
            for member, version in members.items()
        },
    }
    release["seal"] = seal_of(release)
    path = weights / "releases" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(release, indent=1) + "\n")
    load_release(name, weights=weights)
    return path


def newest_version(member: str, *, weights: Path = WEIGHTS) -> str:
    """The newest exported version of a network; raises FileNotFoundError where there is none."""
    versions = sorted(path.parent.name for path in (weights / member).glob("*/spec.json"))
    if not versions:
        raise FileNotFoundError(f"no exported version of {member} in {weights}")
    return versions[-1]
