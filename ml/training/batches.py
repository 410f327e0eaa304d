"""Draws batches from prepared films and changes every film at random, a whole batch at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ml.training.device import CPU, send


@dataclass
class FilmList:
    """Prepared films of one list with their targets."""

    pixels: np.ndarray  # [N, S, S] uint8
    targets: np.ndarray  # [N, L] float32
    order: np.ndarray  # what is left of the current round
    rng: np.random.Generator

    def draw(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Take films without replacement until all were seen, then start again."""
        while self.order.size < count:
            self.order = np.concatenate([self.order, self.rng.permutation(len(self.pixels))])
        rows, self.order = self.order[:count], self.order[count:]
        return self.pixels[rows], self.targets[rows]


def draw_batch(
    lists: dict[str, FilmList],
    *,
    shares: dict[str, float],
    size: int,
    rng: np.random.Generator,
    device: torch.device = CPU,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a batch whose films come from the lists in the given shares, and send it to a device.

    returns: [B, 1, S, S] float32 in 0..255, [B, L] float32
    """
    names = [name for name in lists if shares.get(name, 0) > 0]
    weights = np.array([shares[name] for name in names])
    counts = rng.multinomial(size, weights / weights.sum())
    parts = [lists[name].draw(int(count)) for name, count in zip(names, counts, strict=True)]
    pixels, targets = (
        send(torch.from_numpy(np.concatenate([part[index] for part in parts])), device)
        for index in (0, 1)
    )
    return pixels.float()[:, None], targets


def mix(
    pixels: torch.Tensor, targets: torch.Tensor, *, strength: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Blend every film and its targets with another of the batch.

    strength: both parameters of the beta distribution that the share is drawn from; 0 for none
    source: Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018
    """
    if not strength:
        return pixels, targets
    share = float(torch.distributions.Beta(strength, strength).sample())
    other = send(torch.randperm(len(pixels)), pixels.device)
    return (
        pixels.lerp(pixels[other], 1 - share),
        targets.lerp(targets[other], 1 - share),
    )


def soften(pixels: torch.Tensor, *, share: float, through: int = 224) -> torch.Tensor:
    """Pass a random share of a batch through fewer pixels and back.

    Films of the list of normals are stored at 224 px: where others are always sharper, sharpness
    would stand for disease.

    pixels: [B, 1, S, S] float32; share: 0..1
    returns: the same shape
    """
    drawn = torch.rand(len(pixels)) < share
    if not drawn.any() or pixels.shape[-1] <= through:
        return pixels
    rows = send(drawn.nonzero()[:, 0], pixels.device)
    small = nn.functional.interpolate(
        pixels[rows], (through, through), mode="bilinear", antialias=True
    )
    softer = pixels.clone()
    softer[rows] = nn.functional.interpolate(small, pixels.shape[-2:], mode="bilinear")
    return softer


def augment(pixels: torch.Tensor, config: dict[str, float], *, size: int) -> torch.Tensor:
    """Move, mirror and re-expose every film of a batch at random, on the device where it lies.

    pixels: [B, 1, S, S] float32 in 0..255
    returns: [B, 1, size, size] float32 in 0..255
    """
    count = len(pixels)
    most = int(config.get("soften_px", 224))
    least = int(config.get("soften_px_least", most))
    through = int(torch.randint(least, most + 1, ()))  # another one for each batch
    pixels = soften(pixels, share=config.get("soften", 0.0), through=through)
    if size != pixels.shape[-1]:
        pixels = nn.functional.interpolate(pixels, (size, size), mode="bilinear", antialias=True)

    def spread(amount: float) -> torch.Tensor:
        return send((torch.rand(count) * 2 - 1) * amount, pixels.device)

    angle = spread(math.radians(config["rotate_deg"]))
    scale = torch.exp(spread(math.log1p(config["scale"])))
    mirror = send(torch.where(torch.rand(count) < 0.5, -1.0, 1.0), pixels.device)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    shift_x, shift_y = spread(2 * config["shift"]), spread(2 * config["shift"])
    rows = [
        torch.stack(row, 1) for row in ((cos * mirror, -sin, shift_x), (sin * mirror, cos, shift_y))
    ]
    grid = nn.functional.affine_grid(torch.stack(rows, 1), list(pixels.shape), align_corners=False)
    moved = nn.functional.grid_sample(pixels, grid, padding_mode="zeros", align_corners=False)

    def each(values: torch.Tensor) -> torch.Tensor:
        return values[:, None, None, None]

    exposed = (moved / 255).clamp(1e-4, 1) ** each(torch.exp(spread(config["gamma"])))
    contrast, brightness = each(1 + spread(config["contrast"])), each(spread(config["brightness"]))
    return ((exposed * 255 - 127) * contrast + 127 + brightness).clamp(0, 255)
