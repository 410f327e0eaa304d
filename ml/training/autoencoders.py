"""The two anomaly networks: a plain U-Net autoencoder, and the Reversed Autoencoder.

source of the Reversed Autoencoder: C. I. Bercea et al., Generalizing Unsupervised Anomaly
Detection: Towards Unbiased Pathology Screening, MIDL 2023, built on the soft-introspective
variational autoencoder (T. Daniel and A. Tamar, CVPR 2021). Layers follow the paper at a quarter of
its width or less, so that the network stays under 4 MB.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from ml.training.layers import double_convolution


def _double(inward: int, outward: int) -> nn.Sequential:
    return double_convolution(inward, outward, lambda: nn.LeakyReLU(0.2, inplace=True))


class UNetAutoencoder(nn.Module):
    """U-Net with skip connections that gives back its input.

    widths: channels at full size, half, a quarter …
    """

    def __init__(self, *, widths: Sequence[int] = (12, 24, 48, 64)) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            _double(inward, outward) for inward, outward in zip((1, *widths), widths, strict=False)
        )
        self.up = nn.ModuleList(
            _double(deep + flat, flat)
            for deep, flat in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(widths[0], 1, 1)

    def forward(self, film: torch.Tensor) -> torch.Tensor:
        """Rebuild film [B, 1, S, S] in 0..1; returns the same shape and range."""
        passed: list[torch.Tensor] = []
        flow = film
        for block in self.down:
            flow = block(flow if not passed else functional.avg_pool2d(flow, 2))
            passed.append(flow)
        for block, skip in zip(self.up, passed[-2::-1], strict=True):
            grown = functional.interpolate(flow, scale_factor=2, mode="nearest")
            flow = block(torch.cat([grown, skip], 1))
        return self.head(flow).sigmoid()


class ResidualBlock(nn.Module):
    """Two convolutions beside the identity, which is widened where the channels change."""

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.widen = (
            nn.Identity() if inward == outward else nn.Conv2d(inward, outward, 1, bias=False)
        )
        self.first = nn.Sequential(
            nn.Conv2d(inward, outward, 3, padding=1, bias=False),
            nn.BatchNorm2d(outward),
            nn.LeakyReLU(0.2, inplace=True),
        )
        self.second = nn.Sequential(
            nn.Conv2d(outward, outward, 3, padding=1, bias=False), nn.BatchNorm2d(outward)
        )

    def forward(self, flow: torch.Tensor) -> torch.Tensor:
        """[B, inward, H, W] to [B, outward, H, W]."""
        return functional.leaky_relu(self.second(self.first(flow)) + self.widen(flow), 0.2)


class Encoder(nn.Module):
    """From a film to the mean and log-variance of its code, keeping the embeddings on the way."""

    def __init__(self, *, widths: Sequence[int], code: int, size: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(1, widths[0], 5, padding=2, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.LeakyReLU(0.2, inplace=True),
        )
        self.blocks = nn.ModuleList(ResidualBlock(a, b) for a, b in pairwise(widths))
        self.last = ResidualBlock(widths[-1], widths[-1])
        side = size >> len(widths)
        self.code = nn.Linear(widths[-1] * side * side, 2 * code)

    def forward(self, film: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
        """Give mean [B, code], log-variance [B, code] and the embeddings after each halving."""
        flow = functional.avg_pool2d(self.first(film), 2)
        embeddings = [flow]
        for block in self.blocks:
            flow = functional.avg_pool2d(block(flow), 2)
            embeddings.append(flow)
        mean, log_variance = self.code(self.last(flow).flatten(1)).float().chunk(2, 1)
        return mean, log_variance, embeddings


class Decoder(nn.Module):
    """From a code to a film."""

    def __init__(self, *, widths: Sequence[int], code: int, size: int) -> None:
        super().__init__()
        self.side = size >> len(widths)
        self.width = widths[-1]
        self.code = nn.Sequential(
            nn.Linear(code, self.width * self.side * self.side), nn.ReLU(inplace=True)
        )
        down = tuple(widths[::-1])
        self.blocks = nn.ModuleList(
            ResidualBlock(a, b) for a, b in zip((down[0], *down), down, strict=False)
        )
        self.last = ResidualBlock(widths[0], widths[0])
        self.head = nn.Conv2d(widths[0], 1, 5, padding=2)

    def forward(self, code: torch.Tensor) -> torch.Tensor:
        """Give films [B, 1, S, S] in 0..1 for codes [B, code]."""
        flow = self.code(code).view(-1, self.width, self.side, self.side)
        for block in self.blocks:
            flow = functional.interpolate(block(flow), scale_factor=2, mode="nearest")
        return self.head(self.last(flow)).float().sigmoid()


class ReversedAutoencoder(nn.Module):
    """Soft-introspective variational autoencoder whose encoder also compares embeddings."""

    def __init__(
        self,
        *,
        widths: Sequence[int] = (16, 32, 64, 96, 96),
        code: int = 128,
        size: int = 128,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(widths=widths, code=code, size=size)
        self.decoder = Decoder(widths=widths, code=code, size=size)
        self.code_size = code

    def forward(self, film: torch.Tensor) -> torch.Tensor:
        """Rebuild film [B, 1, S, S] in 0..1 from the mean of its code."""
        mean, _, _ = self.encoder(film)
        return self.decoder(mean)


def draw_code(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Draw a code from the encoder's normal distribution, differentiably."""
    return mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)


def divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler divergence from the standard normal distribution, [B]."""
    return -0.5 * (1 + log_variance - log_variance.exp() - mean.pow(2)).sum(1)


def squared_error(film: torch.Tensor, rebuilt: torch.Tensor) -> torch.Tensor:
    """Sum of squared differences over the pixels of each film, [B]."""
    return (film - rebuilt).pow(2).flatten(1).sum(1)


def embedding_loss(ours: Sequence[torch.Tensor], rebuilt: Sequence[torch.Tensor]) -> torch.Tensor:
    """Reversed embedding similarity: half the squared distance, plus one minus the cosine."""
    total = torch.zeros(())
    for left, right in zip(ours, rebuilt, strict=True):
        left, right = left.float(), right.float()
        cosine = functional.cosine_similarity(left.flatten(1), right.flatten(1))
        total = total + 0.5 * functional.mse_loss(left, right) + (1 - cosine).mean()
    return total
