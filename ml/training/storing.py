"""Stores a graph's weights in fewer bits: the graph itself turns them back to float32.

In 16 bits by default. In 8, every kernel of a convolution over channels has a step of its own, so
that its largest weight is 127 steps; those of one channel are few and stay in 16 bits. Engines
compute in float32 either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

LARGE = 256  # elements from which a tensor is stored in fewer bits
STEPS = 127


def store_weights(graph: onnx.ModelProto, *, bits: int = 16) -> None:
    """Store large weights in 16 bits, or those of convolutions in 8, in place.

    raises: ValueError where a weight is out of float16's range
    """
    kernels = {node.input[1] for node in graph.graph.node if node.op_type == "Conv"}
    decoded = []
    for tensor in list(graph.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < LARGE:
            continue
        graph.graph.initializer.remove(tensor)
        if bits == 8 and tensor.name in kernels and in_8_bits(values.shape):
            decoded += _in_8_bits(graph, tensor.name, values)
        else:
            decoded += _in_16_bits(graph, tensor.name, values)
    nodes = [*decoded, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)


def _keep(graph: onnx.ModelProto, name: str, values: np.ndarray) -> str:
    graph.graph.initializer.append(numpy_helper.from_array(values, name=name))
    return name


def _in_16_bits(graph: onnx.ModelProto, name: str, values: np.ndarray) -> list[onnx.NodeProto]:
    if np.abs(values).max() > np.finfo(np.float16).max:
        raise ValueError(f"{name} holds a weight too large for 16 bits")
    stored = _keep(graph, f"{name}.f16", values.astype(np.float16))
    return [helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT)]


def _in_8_bits(graph: onnx.ModelProto, name: str, values: np.ndarray) -> list[onnx.NodeProto]:
    scale = step_of(torch.from_numpy(values.copy())).numpy()
    whole = np.rint(values / scale).astype(np.int8)
    stored = _keep(graph, f"{name}.i8", whole)
    steps = _keep(graph, f"{name}.step", scale.astype(np.float32))
    return [
        helper.make_node("Cast", [stored], [f"{name}.whole"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}.whole", steps], [name]),
    ]


def in_8_bits(shape: Sequence[int]) -> bool:
    """Whether kernels [O, I, h, w] may be stored in 8 bits: those over several channels."""
    return shape[1] > 1


def step_of(kernels: torch.Tensor) -> torch.Tensor:
    """Give the step of each kernel in 8 bits; kernels: [O, ...]; returns: [O, 1, ...], above 0."""
    largest = kernels.flatten(1).abs().amax(1).clamp_min(1e-12)
    return (largest / STEPS).view(-1, *[1] * (kernels.ndim - 1))


def _rounded(kernels: torch.Tensor, bits: int) -> torch.Tensor:
    if bits == 16 or not in_8_bits(kernels.shape):
        return kernels.half().float()
    step = step_of(kernels)
    return torch.round(kernels / step) * step


@torch.no_grad()
def round_weights(network: nn.Module, *, bits: int = 16) -> None:
    """Round large weights as the graph stores them, so that torch and graph agree.

    The exporter folds a batch norm into the convolution before it, so the product is what has to
    be a number of fewer bits there.
    """
    done = set()
    layers = list(network.modules())
    for layer, norm in zip_longest(layers, layers[1:]):
        if not isinstance(layer, nn.Conv2d):
            continue
        scale = torch.ones(layer.out_channels)
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_var is not None
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)  # [out]
            scale = torch.where(scale.abs() < 1e-8, torch.ones_like(scale), scale)
        elif bits == 16:
            continue
        scale = scale.view(-1, 1, 1, 1)
        if layer.weight.numel() >= LARGE:
            layer.weight.copy_(_rounded(layer.weight * scale, bits) / scale)
        done.add(layer.weight)
    for value in [*network.parameters(), *network.buffers()]:
        if value.is_floating_point() and value.numel() >= LARGE and value not in done:
            value.copy_(value.half().float())
