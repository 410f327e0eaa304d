"""The gate: what it refuses, what it rights, and what it says of it."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ml.bundle import load_bundle
from ml.gate import KINDS, MIN_SIDE_PX, Gate, load_gate
from ml.imaging.orient import correct
from ml.refusal import GATE_CODES
from ml.runtime import load_graph
from tests.ml import tiny


def directional_graph() -> onnx.ModelProto:
    """A gate for pictures with one bright edge: upright when it is the upper one.

    Kinds follow the middle's grey (dark is frontal), inversion the mean grey.
    """
    size = tiny.SIZE
    edges = np.full((4, 1, size, size), -40 / size**2, np.float32)
    for turn in range(4):
        upper = np.zeros((size, size), np.float32)
        upper[: size // 4] = 40 / size**2 * 4
        edges[turn, 0] += np.rot90(upper, turn)
    middle = np.zeros((5, 1, size, size), np.float32)
    middle[4, 0, 12:20, 12:20] = 60 / 64
    whole = np.full((1, 1, size, size), 60 / size**2, np.float32)
    weights = {
        "edges": edges,
        "middle": middle,
        "whole": whole,
        "to_kinds": np.array([20, 0, 0, 0, -10], np.float32),
        "to_inverted": np.array([-33], np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["film", "edges"], ["turn4"]),
        helper.make_node("Flatten", ["turn4"], ["turn2"]),
        helper.make_node("Softmax", ["turn2"], ["turns"], axis=1),
        helper.make_node("Conv", ["film", "middle", "to_kinds"], ["kind4"]),
        helper.make_node("Flatten", ["kind4"], ["kind2"]),
        helper.make_node("Softmax", ["kind2"], ["kinds"], axis=1),
        helper.make_node("Conv", ["film", "whole", "to_inverted"], ["mean4"]),
        helper.make_node("Flatten", ["mean4"], ["mean2"]),
        helper.make_node("Sigmoid", ["mean2"], ["inverted"]),
    ]
    return make_model(nodes, weights)


def make_model(nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    size = tiny.SIZE
    graph = helper.make_graph(
        nodes,
        "directional",
        [helper.make_tensor_value_info("film", TensorProto.FLOAT, [1, 1, size, size])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in {"kinds": [1, 5], "turns": [1, 4], "inverted": [1, 1]}.items()
        ],
        [numpy_helper.from_array(value, name=name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    thresholds = {"frontal": 0.5, "turned": 0.6, "inverted": 0.6}
    spec = {"settings": {"thresholds": thresholds}}
    tiny.write_bundle(tmp_path, "gate", directional_graph(), spec)
    bundle = load_bundle(tmp_path, "gate", tiny.VERSION)
    return load_gate(bundle, load_graph(bundle))


def bright_edge(side_px: int = 96) -> np.ndarray:
    film = np.full((side_px, side_px), 0.1, np.float32)
    film[: side_px // 4] = 0.9
    return film


def test_an_upright_film_passes_without_corrections(gate: Gate) -> None:
    entry = gate.check(bright_edge())
    assert entry.refusal is None
    assert entry.corrections == ()
    assert entry.quality["view"] == "frontal"


@pytest.mark.parametrize(("turn", "code"), [(1, "turned_right"), (3, "turned_left")])
def test_a_film_turned_by_a_quarter_is_turned_back_and_that_is_said(
    gate: Gate, turn: int, code: str
) -> None:
    upright = bright_edge()
    entry = gate.check(np.rot90(upright, turn))
    assert entry.refusal is None
    assert entry.corrections == (code,)
    assert np.array_equal(correct(np.rot90(upright, turn), entry.corrections), upright)


def test_an_inverted_film_is_inverted_back_and_that_is_said(gate: Gate) -> None:
    entry = gate.check(1 - bright_edge())
    assert entry.refusal is None
    assert entry.quality["corrections"] == ["inverted"]
    assert np.allclose(correct(1 - bright_edge(), entry.corrections), bright_edge())


def test_a_film_upside_down_is_refused_and_not_turned(gate: Gate) -> None:
    entry = gate.check(np.rot90(bright_edge(), 2))
    assert entry.refusal == "upside_down"
    assert entry.turn_back == 0


def test_a_picture_that_is_no_chest_is_refused(gate: Gate) -> None:
    film = bright_edge()
    film[30:66, 30:66] = 0.9
    assert gate.check(film).refusal == "not_a_chest"


@pytest.mark.parametrize(
    ("film", "code"),
    [
        (np.full((96, 96), 0.4, np.float32), "blank"),
        (bright_edge(MIN_SIDE_PX - 1), "too_small"),
        (0.5 + bright_edge() * 0.02, "low_contrast"),
    ],
)
def test_what_needs_no_network_is_refused_at_once(gate: Gate, film: np.ndarray, code: str) -> None:
    assert gate.check(film.astype(np.float32)).refusal == code


def test_every_refusal_of_the_gate_has_a_known_code(gate: Gate) -> None:
    for kind in range(1, len(KINDS)):
        kinds = np.zeros(len(KINDS), np.float32)
        kinds[kind] = 1
        sight = gate.look(np.zeros((tiny.SIZE, tiny.SIZE), np.uint8))
        refusal = gate.decide(type(sight)(kinds, sight.turns, 0.0))
        assert refusal in GATE_CODES
