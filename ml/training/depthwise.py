"""Makes depthwise convolutions learn about three times faster on a CPU.

Under bf16 autocast their backward pass falls to a slow path: 302 ms against 87 ms in float32 for
[32, 144, 59, 59] and 5 × 5 on one core with AVX-512. So the forward pass stays in bf16 and the
backward pass is computed in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


class _Float32Backward(torch.autograd.Function):
    """A depthwise convolution whose gradients are computed in float32."""

    @staticmethod
    def forward(
        ctx: Any, films: torch.Tensor, weight: torch.Tensor, stride: list[int], padding: list[int]
    ) -> torch.Tensor:
        ctx.save_for_backward(films, weight)
        ctx.stride, ctx.padding = stride, padding
        return functional.conv2d(
            films, weight.to(films.dtype), None, stride, padding, 1, films.shape[1]
        )

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        films, weight = ctx.saved_tensors
        to_films, to_weight, _ = torch.ops.aten.convolution_backward(
            gradients[0].float(),
            films.float(),
            weight.float(),
            None,
            ctx.stride,
            ctx.padding,
            [1, 1],
            False,
            [0, 0],
            films.shape[1],
            [True, True, False],
        )
        return to_films.to(films.dtype), to_weight.to(weight.dtype), None, None


class _Depthwise(nn.Conv2d):
    """Takes the place of a depthwise convolution without bias or dilation."""

    same: bool

    def forward(self, films: torch.Tensor) -> torch.Tensor:  # [B, C, H, W]
        padding = [int(value) for value in self.padding]
        if self.same:
            films = pad_same(films, kernel=self.kernel_size[0], stride=self.stride[0])
            padding = [0, 0]
        if films.device.type != "cpu" or not torch.is_grad_enabled():
            return functional.conv2d(films, self.weight, None, self.stride, padding, 1, self.groups)
        if torch.is_autocast_enabled("cpu"):
            films = films.to(torch.get_autocast_dtype("cpu"))
        result = _Float32Backward.apply(films, self.weight, list(self.stride), padding)
        assert isinstance(result, torch.Tensor)
        return result


def pad_same(films: torch.Tensor, *, kernel: int, stride: int) -> torch.Tensor:
    """Pad as TensorFlow's "same" does: the odd pixel goes to the right and to the bottom."""

    def need(length: int) -> tuple[int, int]:
        total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
        return total // 2, total - total // 2

    return functional.pad(films, (*need(films.shape[-1]), *need(films.shape[-2])))


def speed_up_depthwise(network: nn.Module) -> int:
    """Replace the depthwise convolutions of a network in place; returns how many."""
    replaced = 0
    for module in network.modules():
        if not isinstance(module, nn.Conv2d) or module.groups != module.in_channels:
            continue
        if module.groups == 1 or module.bias is not None or module.dilation != (1, 1):
            continue
        same = type(module).__name__ == "Conv2dSame"  # timm's TensorFlow padding
        module.__class__ = _Depthwise
        module.same = same  # type: ignore[assignment]
        replaced += 1
    return replaced
