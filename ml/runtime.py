"""Loads a graph and runs it: the only file that names an engine for serving.

OpenVINO is the engine, ONNX Runtime the second one; both run in float32 on a given number of
threads. The torch backend builds the network from its training checkpoint instead of the graph: it
needs the extra `train` and the checkpoint under var/.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ml.bundle import Bundle, Input, ReleaseError

BACKENDS = ("openvino", "onnx", "torch")


class Graph(Protocol):
    """A loaded network."""

    def run(self, film: np.ndarray) -> list[np.ndarray]:
        """Run it on [1, C, S, S] float32; returns its outputs in the order of spec.outputs."""


class _OpenVinoGraph:
    def __init__(self, path: Path, *, outputs: tuple[str, ...], threads: int) -> None:
        import openvino

        core = openvino.Core()
        self.compiled: Any = core.compile_model(
            core.read_model(path),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "f32",
                "INFERENCE_NUM_THREADS": str(threads),
                "NUM_STREAMS": "1",
                "PERFORMANCE_HINT": "LATENCY",
            },
        )
        self.request: Any = self.compiled.create_infer_request()
        self.ports = [self.compiled.output(name) for name in outputs]

    def run(self, film: np.ndarray) -> list[np.ndarray]:
        self.request.infer([film], share_inputs=True)
        return [np.array(self.request.get_tensor(port).data) for port in self.ports]


class _OnnxGraph:
    def __init__(self, path: Path, *, outputs: tuple[str, ...], threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session: Any = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.input = self.session.get_inputs()[0].name
        self.outputs = list(outputs)

    def run(self, film: np.ndarray) -> list[np.ndarray]:
        return [np.asarray(value) for value in self.session.run(self.outputs, {self.input: film})]


class _TorchGraph:
    def __init__(self, checkpoint: Path, *, member: str, threads: int) -> None:
        if not checkpoint.is_file():
            raise ReleaseError(
                f"the torch backend needs the training checkpoint {checkpoint}, which is missing; "
                "train this network here, or use --backend openvino or onnx"
            )
        try:
            self.torch: Any = importlib.import_module("torch")
        except ImportError as error:
            raise ReleaseError("the torch backend needs torch: pip install '.[train]'") from error
        self.torch.set_num_threads(threads)
        serving: Any = importlib.import_module("ml.training.serving")
        self.network: Any = serving.load_serving(member, checkpoint)

    def run(self, film: np.ndarray) -> list[np.ndarray]:
        with self.torch.inference_mode():
            outputs = self.network(self.torch.from_numpy(film))
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return [output.numpy() for output in outputs]


def checkpoint_of(bundle: Bundle) -> Path:
    """Where the training left the checkpoint that this bundle was exported from."""
    var = Path(os.environ.get("XRAYDX_VAR", "var"))
    return var / "checkpoints" / bundle.spec.name / f"{bundle.spec.version}.pt"


def load_graph(bundle: Bundle, *, backend: str = "openvino", threads: int = 1) -> Graph:
    """Load a bundle's graph into an engine.

    backend: one of BACKENDS
    raises: ReleaseError where the engine can't load it; ValueError for another backend
    """
    if backend not in BACKENDS:
        raise ValueError(f"no backend {backend!r}; there are {', '.join(BACKENDS)}")
    where = f"{bundle.spec.name}/{bundle.spec.version}/{bundle.spec.graph}"
    if backend == "torch":
        return _TorchGraph(checkpoint_of(bundle), member=bundle.spec.name, threads=threads)
    try:
        return open_graph(
            bundle.graph, outputs=bundle.spec.outputs, backend=backend, threads=threads
        )
    except Exception as error:  # engines raise types of their own
        raise ReleaseError(f"{where}: {backend} can't load it ({error})") from error


def open_graph(path: Path, *, outputs: tuple[str, ...], backend: str, threads: int) -> Graph:
    """Load a graph file into openvino or onnx; raises what the engine raises."""
    loader = _OpenVinoGraph if backend == "openvino" else _OnnxGraph
    return loader(path, outputs=outputs, threads=threads)


def to_input(prepared: np.ndarray, expected: Input) -> np.ndarray:
    """Bring a prepared film into the range that a graph was trained with.

    prepared: [S, S] uint8, given to every channel, or [C, S, S]
    returns: [1, C, S, S] float32
    raises: ValueError where the side or the number of channels is not the graph's
    """
    if prepared.ndim == 2:
        prepared = np.repeat(prepared[None], expected.channels, axis=0)
    if prepared.shape != (expected.channels, expected.size, expected.size):
        wanted = f"{expected.channels} x {expected.size} px"
        raise ValueError(f"a film of {prepared.shape} for a graph of {wanted}")
    return ((prepared.astype(np.float32) - expected.mean) / expected.std)[None]
