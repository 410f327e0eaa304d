"""The yardstick finds patches that no normal film has."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ml.training.yardstick import distances, last_features

pytestmark = pytest.mark.training


def strided_graph() -> onnx.ModelProto:
    """Two convolutions at stride 16, the second the last of its size, then one at 32."""
    weights = {
        "a": np.ones((4, 1, 16, 16), np.float32),
        "b": np.ones((6, 4, 1, 1), np.float32),
        "c": np.ones((8, 6, 2, 2), np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["film", "a"], ["first"], strides=[16, 16]),
        helper.make_node("Conv", ["first", "b"], ["second"]),
        helper.make_node("Conv", ["second", "c"], ["third"], strides=[2, 2]),
    ]
    graph = helper.make_graph(
        nodes,
        "strided",
        [helper.make_tensor_value_info("film", TensorProto.FLOAT, [1, 1, 64, 64])],
        [helper.make_tensor_value_info("third", TensorProto.FLOAT, [1, 8, 2, 2])],
        [numpy_helper.from_array(value, name=name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_the_last_narrow_features_of_stride_16_are_taken() -> None:
    assert last_features(strided_graph(), 64) == "second"


def test_a_graph_without_such_features_is_refused() -> None:
    graph = strided_graph()
    del graph.graph.node[:]
    graph.graph.node.append(helper.make_node("Identity", ["film"], ["third"]))
    with pytest.raises(ValueError, match="4 x 4"):
        last_features(graph, 64)


def test_the_distance_is_to_the_nearest_of_the_memory() -> None:
    rng = np.random.default_rng(0)
    memory, own = rng.normal(size=(50, 8)), rng.normal(size=(20, 8))
    found = distances(own, memory, (memory**2).sum(1))
    nearest = np.linalg.norm(own[:, None] - memory[None], axis=2).min(1)
    assert found == pytest.approx(nearest)
