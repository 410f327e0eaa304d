"""Engines give the same figures, and say what they can't load."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.bundle import Bundle, Input, ReleaseError, load_bundle
from ml.runtime import load_graph, to_input
from tests.ml.tiny import SIZE, build_release


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_release(tmp_path_factory.mktemp("weights"))


def film() -> np.ndarray:
    return np.random.default_rng(2).random((1, 1, SIZE, SIZE)).astype(np.float32)


@pytest.mark.parametrize("member", ["gate", "classifier", "detector", "anatomy", "unet"])
def test_both_engines_give_the_same_outputs_in_the_order_of_the_spec(weights, member):
    bundle = load_bundle(weights, member, "1")
    first, second = (load_graph(bundle, backend=name).run(film()) for name in ("openvino", "onnx"))
    assert len(first) == len(second) == len(bundle.spec.outputs)
    for one, other in zip(first, second, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_an_anomaly_graph_measures_what_it_says(weights):
    distance, error = load_graph(load_bundle(weights, "unet", "1")).run(film())
    assert error.shape == (1, SIZE, SIZE)
    assert distance[0] == pytest.approx(error.mean(), rel=1e-4)


def test_a_result_stays_when_the_graph_runs_again(weights):
    graph = load_graph(load_bundle(weights, "unet", "1"))
    first = graph.run(film())[1]
    before = first.copy()
    graph.run(1 - film())
    np.testing.assert_array_equal(first, before)


@pytest.mark.parametrize("backend", ["openvino", "onnx"])
def test_a_graph_that_is_none_is_named(weights, tmp_path, backend):
    whole = load_bundle(weights, "gate", "1")
    (tmp_path / "graph.onnx").write_bytes(b"no graph")
    with pytest.raises(ReleaseError, match=f"gate/1/graph.onnx: {backend} can't load it"):
        load_graph(Bundle(tmp_path, whole.spec), backend=backend)


def test_the_torch_backend_names_the_checkpoint_that_it_needs(weights, tmp_path, monkeypatch):
    monkeypatch.setenv("XRAYDX_VAR", str(tmp_path))
    with pytest.raises(ReleaseError, match=r"checkpoints/gate/1\.pt, which is missing"):
        load_graph(load_bundle(weights, "gate", "1"), backend="torch")


def test_an_unknown_backend_is_a_fault_of_the_caller(weights):
    with pytest.raises(ValueError, match="no backend 'cuda'"):
        load_graph(load_bundle(weights, "gate", "1"), backend="cuda")


def test_grey_is_brought_into_the_range_of_the_graph():
    prepared = np.full((4, 4), 191, np.uint8)
    given = to_input(prepared, Input(size=4, channels=3, mean=127.0, std=128.0))
    assert given.shape == (1, 3, 4, 4)
    assert given.dtype == np.float32
    assert np.all(given == 0.5)


def test_a_film_of_another_size_is_a_fault_of_the_caller():
    with pytest.raises(ValueError, match="for a graph of 1 x 8 px"):
        to_input(np.zeros((4, 4), np.uint8), Input(size=8, channels=1, mean=0.0, std=255.0))
