"""Changes of children's films against what tells the two classes apart without showing a disease.

In the official train folder films with pneumonia are wider for their height (1.5 in the middle,
normal films 1.2) and come from a third of the pixels, so that squashed to a square they show
narrower and softer chests.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from ml.training.device import send

ASPECT_OF_ILL = 1.25  # median width for its height of films with pneumonia, over normal ones'
KNOTS = 6


def stretch_films(pixels: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """Make what films show wider (factor over 1, the sides are lost) or narrower (black beside it).

    pixels: [B, 1, S, S]; factors: [B]; returns: the same shape
    """
    rows = torch.zeros(len(pixels), 2, 3, device=pixels.device)
    rows[:, 0, 0], rows[:, 1, 1] = 1 / factors, 1.0
    grid = functional.affine_grid(rows, list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, align_corners=False)


def stretch_at_random(pixels: torch.Tensor, *, spread: float) -> torch.Tensor:
    """Stretch every film of a batch by a factor of its own, up to e^±spread."""
    factors = torch.exp((torch.rand(len(pixels)) * 2 - 1) * spread)
    return stretch_films(pixels, send(factors, pixels.device))


def bend_greys(pixels: torch.Tensor, *, spread: float) -> torch.Tensor:
    """Send each film's greys through a rising curve of its own.

    pixels: [B, 1, S, S] in 0..255; spread: of the logarithm of the curve's slopes
    returns: the same shape and range
    """
    slopes = send(torch.exp(torch.randn(len(pixels), KNOTS) * spread), pixels.device)
    curve = functional.pad(slopes.cumsum(1), (1, 0))  # [B, KNOTS + 1]
    curve = curve / curve[:, -1:]
    place = (pixels.flatten(1) / 255).clamp(0, 1) * KNOTS
    below = place.floor().clamp(max=KNOTS - 1)
    low = curve.gather(1, below.long())
    high = curve.gather(1, below.long() + 1)
    return (low + (high - low) * (place - below)).view_as(pixels) * 255


def hide_borders(pixels: torch.Tensor, *, share: float, widest: float = 0.12) -> torch.Tensor:
    """Blacken the borders of a share of the films, each side up to `widest` of the film."""
    side = pixels.shape[-1]
    place = (torch.arange(side, device=pixels.device) + 0.5) / side
    drawn = torch.rand(len(pixels), 4, 1) * widest * (torch.rand(len(pixels), 1, 1) < share)
    cut = send(drawn, pixels.device)
    kept = [(place >= cut[:, i]) & (place <= 1 - cut[:, i + 1]) for i in (0, 2)]  # [B, S] each
    return pixels * (kept[0][:, None, :, None] & kept[1][:, None, None, :])


def change_films(pixels: torch.Tensor, config: dict[str, float]) -> torch.Tensor:
    """What `shortcuts` of a config asks for; pixels [B, 1, S, S] in 0..255."""
    pixels = hide_borders(pixels, share=config["borders"])
    pixels = bend_greys(pixels, spread=config["bend"])
    return stretch_at_random(pixels, spread=config["stretch"])


def swap_shapes(pixels: torch.Tensor, ill: torch.Tensor) -> torch.Tensor:
    """Give normal films the shape of those with pneumonia and the other way round.

    Who goes by the shape is wrong on these. pixels: [B, 1, S, S]; ill: [B] bool
    """
    logs = torch.where(ill, 1.0, -1.0) * math.log(ASPECT_OF_ILL)
    return stretch_films(pixels, torch.exp(logs))
