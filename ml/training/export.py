"""Writes bundles: graph in ONNX, spec, figures, card.

Every network is exported by the same call, whatever it is: write_bundle. parity.npz
holds drawn phantoms and what torch makes of them, for the test that engines agree.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from ml.bundle import WEIGHTS, Bundle, Input, load_bundle
from ml.imaging.phantom import draw_phantom
from ml.imaging.preprocess import prepare
from ml.runtime import to_input
from ml.training.papers import Contract, Evidence, write_papers
from ml.training.storing import store_weights

__all__ = ["Contract", "Evidence", "write_bundle"]

OPSET = 17
PARITY_FILMS = 2


def write_graph(
    network: nn.Module, path: Path, *, expected: Input, outputs: Sequence[str], bits: int = 16
) -> None:
    """Export a network to ONNX.

    network: takes [1, C, S, S] float32 and returns a tensor or a tuple in the order of outputs
    bits: in which large weights are stored; the network is rounded to them already
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
    store_weights(graph, bits=bits)
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
    arrays: dict[str, Any] = {"film": films}
    arrays |= {name: np.stack(parts).astype(np.float32) for name, parts in stored.items()}
    np.savez_compressed(path, **arrays)


def write_bundle(
    member: str,
    version: str,
    network: nn.Module,
    *,
    contract: Contract,
    evidence: Evidence,
    weights: Path = WEIGHTS,
    bits: int = 16,
) -> Bundle:
    """Export one network with all that belongs to it, and read it back as serving will.

    bits: in which large weights are stored
    raises: ml.bundle.ReleaseError where what was written is not a whole bundle
    """
    home = weights / member / version
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    path, outputs = home / "graph.onnx", contract.outputs
    write_graph(network, path, expected=contract.input, outputs=outputs, bits=bits)
    write_parity(network, home / "parity.npz", contract=contract)
    write_papers(home, member, version, contract=contract, evidence=evidence)
    return load_bundle(weights, member, version)
