"""Layers that several networks are built from."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn


def double_convolution(
    inward: int, outward: int, activation: Callable[[], nn.Module]
) -> nn.Sequential:
    """Two 3 x 3 convolutions, each with batch normalisation and activation: the step of a U-Net.

    [B, inward, H, W] -> [B, outward, H, W]
    """
    layers: list[nn.Module] = []
    for channels in (inward, outward):
        layers += [
            nn.Conv2d(channels, outward, 3, padding=1, bias=False),
            nn.BatchNorm2d(outward),
            activation(),
        ]
    return nn.Sequential(*layers)
