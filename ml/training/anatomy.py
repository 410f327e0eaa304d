"""Trains the outline of lungs and heart: a light U-Net on MobileNetV2's first stages."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ml.anatomy import REGIONS, settle_regions
from ml.training.backbone import CHANNELS, START, MobileStages
from ml.training.data import SHARED, cache_prepared
from ml.training.device import CPU, autocast, home_of, place, send
from ml.training.layers import double_convolution
from ml.training.loop import Learner, TrainingRun, begin, run_epoch, seed_all
from ml.training.members import read_checkpoint

STAGES = 5


@dataclass(frozen=True)
class Shake:
    """How far films are changed at random.

    degrees: greatest turn; smaller, larger, stretch: of the logarithm of the scale; shift: of the
    film's side; gamma: of its logarithm; contrast, brightness: of the grey in 0..1; shadows, blur:
    shares of films; blur_px: widest spread of the blur; noise: widest spread of the grey
    """

    degrees: float = 15.0
    smaller: float = 0.35
    larger: float = 0.25
    stretch: float = 0.12
    shift: float = 0.12
    gamma: float = 0.5
    contrast: float = 0.3
    brightness: float = 0.12
    shadows: float = 0.4
    blur: float = 0.3
    blur_px: float = 1.6
    noise: float = 0.04


@dataclass(frozen=True)
class MaskedFilm:
    """A film with a mask of lungs and heart.

    collection: jsrt or wingspan; through_heart: its lungs are drawn through the heart
    """

    path: Path
    mask: Path
    collection: str
    split: str
    through_heart: bool


def read_masked_films(root: Path) -> list[MaskedFilm]:
    """Read anatomy/films.csv of the shared folder."""
    with (root / "anatomy" / "films.csv").open(newline="") as file:
        return [
            MaskedFilm(
                path=root / "anatomy" / row["file"],
                mask=root / "anatomy" / row["mask"],
                collection=row["set"],
                split=row["split"],
                through_heart="overlaps heart" in row["note"],
            )
            for row in csv.DictReader(file)
        ]


def load_masks(films: Sequence[MaskedFilm], *, size: int) -> np.ndarray:
    """Load masks as [N, size, size] uint8, indices into REGIONS."""
    masks = []
    for film in films:
        # the files are palette PNGs, which OpenCV would turn into colours
        from PIL import Image

        with Image.open(film.mask) as picture:
            mask = np.array(picture)
        masks.append(cv2.resize(mask, (size, size), interpolation=cv2.INTER_NEAREST_EXACT))
    return np.stack(masks)


def _double(inward: int, outward: int) -> nn.Sequential:
    return double_convolution(inward, outward, lambda: nn.ReLU(inplace=True))


class AnatomyNetwork(nn.Module):
    """Encoder of five MobileNetV2 stages, three steps up, regions at half the input's size."""

    def __init__(self, *, widths: Sequence[int] = (64, 48, 32, 24)) -> None:
        super().__init__()
        self.stages = MobileStages(STAGES)
        at2, at4, at8, _, at16 = CHANNELS[:STAGES]
        self.bottom = _double(at16, widths[0])
        self.up8 = _double(widths[0] + at8, widths[1])
        self.up4 = _double(widths[1] + at4, widths[2])
        self.up2 = _double(widths[2] + at2, widths[3])
        self.head = nn.Conv2d(widths[3], len(REGIONS), 1)

    def logits(self, film: torch.Tensor) -> torch.Tensor:
        """Give logits [B, 4, S, S] for film [B, 1, S, S] in 0..1."""
        at2, at4, at8, _, at16 = self.stages(film)

        def grow(flow: torch.Tensor) -> torch.Tensor:
            return functional.interpolate(flow, scale_factor=2, mode="bilinear")

        flow = self.bottom(at16)  # [B, 64, S/16, S/16]
        flow = self.up8(torch.cat([grow(flow), at8], 1))
        flow = self.up4(torch.cat([grow(flow), at4], 1))
        flow = self.up2(torch.cat([grow(flow), at2], 1))
        return grow(self.head(flow))

    def forward(self, film: torch.Tensor) -> torch.Tensor:
        """Give the probability of each region, [B, 4, S, S]."""
        return self.logits(film).softmax(1)


def add_shadows(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw soft bright shadows, as disease and devices cast them, so that outlines learn to cross.

    pixels: [S, S] float32 in 0..1
    """
    size = pixels.shape[0]
    shadow = np.zeros_like(pixels)
    for _ in range(int(rng.integers(1, 4))):
        centre = tuple(int(v) for v in rng.uniform(0.15, 0.85, 2) * size)
        axes = tuple(int(v) for v in rng.uniform(0.04, 0.22, 2) * size)
        blob = np.zeros_like(pixels)
        cv2.ellipse(blob, centre, axes, rng.uniform(0, 180), 0, 360, 1.0, cv2.FILLED)
        shadow = np.maximum(shadow, blob * rng.uniform(0.1, 0.6))
    shadow = cv2.GaussianBlur(shadow, (0, 0), rng.uniform(2, 12))
    return np.asarray(pixels + shadow * (1 - pixels))


def shake_pair(
    film: np.ndarray, mask: np.ndarray, *, out: int, shake: Shake, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Move a film with its mask and change its greys.

    film, mask: [S, S] uint8; returns: film [out, out] float32 in 0..1, mask [out, out] int64
    """
    size = film.shape[0]
    angle = math.radians(rng.uniform(-shake.degrees, shake.degrees))
    scale = out / size * math.exp(rng.uniform(-shake.smaller, shake.larger))
    stretch = np.diag(np.exp(rng.uniform(-shake.stretch, shake.stretch, 2)))
    mirror = rng.random() < 0.5
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = turn @ stretch @ np.diag([-1.0 if mirror else 1.0, 1.0]) * scale
    target = np.full(2, out / 2) + rng.uniform(-shake.shift, shake.shift, 2) * out
    affine = np.column_stack([linear, target - linear @ np.full(2, size / 2)])
    film = cv2.warpAffine(film, affine, (out, out), flags=cv2.INTER_AREA)
    mask = cv2.warpAffine(mask, affine, (out, out), flags=cv2.INTER_NEAREST)
    if mirror:  # left stays the viewer's right
        mask = np.array([0, 2, 1, 3], np.uint8)[mask]
    return shake_greys(film, shake=shake, rng=rng), mask.astype(np.int64)


def shake_greys(film: np.ndarray, *, shake: Shake, rng: np.random.Generator) -> np.ndarray:
    """Change the exposure and sharpness of a film [S, S] uint8; returns float32 in 0..1."""
    grey: np.ndarray = (film.astype(np.float32) / 255) ** math.exp(
        rng.uniform(-shake.gamma, shake.gamma)
    )
    if rng.random() < shake.shadows:
        grey = add_shadows(grey, rng)
    if rng.random() < shake.blur:
        grey = np.array(cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.4, shake.blur_px)))
    grey = (grey - 0.5) * rng.uniform(1 - shake.contrast, 1 + shake.contrast) + 0.5
    grey = grey + rng.uniform(-shake.brightness, shake.brightness)
    grey = grey + rng.normal(0, rng.uniform(0, shake.noise), grey.shape)
    return np.clip(grey, 0, 1).astype(np.float32)


def near_edges(truth: torch.Tensor, *, reach: int = 2) -> torch.Tensor:
    """Mark the pixels within `reach` of another region; [B, R, S, S] of 0 and 1 to [B, S, S]."""
    side = 2 * reach + 1
    grown = functional.max_pool2d(truth, side, 1, reach)
    shrunk = -functional.max_pool2d(-truth, side, 1, reach)
    return (grown - shrunk).amax(1)


def overlap_loss(
    logits: torch.Tensor, mask: torch.Tensor, *, edge_weight: float = 0.0
) -> torch.Tensor:
    """Cross-entropy plus one minus the mean soft Dice of lungs and heart.

    edge_weight: what a pixel near an edge weighs more than one far from it in the cross-entropy
    """
    probability = logits.softmax(1)[:, 1:]
    truth = functional.one_hot(mask, len(REGIONS)).permute(0, 3, 1, 2)[:, 1:].float()
    shared = (probability * truth).sum((0, 2, 3))
    dice = (2 * shared + 1) / (probability.sum((0, 2, 3)) + truth.sum((0, 2, 3)) + 1)
    weight = 1 + edge_weight * near_edges(truth)
    entropy = functional.cross_entropy(logits, mask, reduction="none")
    return (weight * entropy).sum() / weight.sum() + 1 - dice.mean()


def dice_of(found: np.ndarray, truth: np.ndarray) -> float:
    """Dice coefficient of two masks; 1 where both are empty."""
    total = int(found.sum() + truth.sum())
    return 1.0 if total == 0 else 2.0 * float((found & truth).sum()) / total


def film_dice(regions: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Dice of both lungs together and of the heart on one film; both [S, S] indices."""
    lungs = dice_of(np.isin(regions, (1, 2)), np.isin(mask, (1, 2)))
    return {"lungs": lungs, "heart": dice_of(regions == 3, mask == 3)}


@torch.no_grad()
def outline_films(network: nn.Module, pixels: np.ndarray) -> list[np.ndarray]:
    """Regions of prepared films [N, S, S] uint8, as serving finds them."""
    network.eval()
    here = home_of(network)

    def run(films: np.ndarray) -> np.ndarray:  # [B, S, S] to [B, 4, S, S]
        stack = send(torch.from_numpy(films), here).unsqueeze(1).float() / 255
        found = network(stack.contiguous(memory_format=torch.channels_last)).cpu()
        return np.asarray(found.numpy())

    regions = []
    for start in range(0, len(pixels), 16):
        films = np.array(pixels[start : start + 16])
        regions += [
            settle_regions(probability, film, lambda look: run(look[None])[0])
            for probability, film in zip(run(films), films, strict=True)
        ]
    return regions


def train_epoch(
    learner: Learner,
    pixels: np.ndarray,
    masks: np.ndarray,
    *,
    config: dict[str, Any],
    epoch: int,
) -> float:
    """Show every training film once; returns the mean loss."""
    rng = np.random.default_rng((config["seed"], epoch))
    order = rng.permutation(len(pixels))
    shake = Shake(**config.get("augment", {}))
    network = learner.network
    assert isinstance(network, AnatomyNetwork)
    here = home_of(network)

    def step(number: int) -> float:
        rows = order[number * config["batch"] : (number + 1) * config["batch"]]
        pairs = [
            shake_pair(pixels[r], masks[r], out=config["size"], shake=shake, rng=rng) for r in rows
        ]
        films, truth = (
            send(torch.from_numpy(np.stack([pair[part] for pair in pairs])), here)
            for part in (0, 1)
        )
        film = films.unsqueeze(1)
        with autocast(here, enabled=config.get("bf16", True)):
            logits = network.logits(film.contiguous(memory_format=torch.channels_last))
        edge = config.get("edge_weight", 0.0)
        return learner.learn(overlap_loss(logits.float(), truth, edge_weight=edge))

    steps = len(order) // config["batch"]
    return run_epoch(learner, step, config=config, epoch=epoch, steps=steps)


def train(
    config: dict[str, Any],
    *,
    root: Path = SHARED,
    threads: int = 1,
    device: torch.device = CPU,
) -> TrainingRun:
    """Train, or go on with, the outline that a config describes; logs Dice on `val`."""
    torch.set_num_threads(threads)
    seed_all(config["seed"])
    films = read_masked_films(root)
    drawn = [f for f in films if f.split == "train" and not f.through_heart]
    val = [f for f in films if f.split == "val"]
    number = config["preprocessing"]
    stored, size = config["stored"], config["size"]
    pixels = np.array(
        cache_prepared([f.path for f in drawn], size=stored, number=number, note="masked")
    )
    masks = load_masks(drawn, size=stored)
    val_pixels = cache_prepared([f.path for f in val], size=size, number=number, note="masked-val")
    val_masks = load_masks(val, size=size)
    network = AnatomyNetwork()
    network.stages.load_start(root / "weights" / START)
    learner, run = begin(place(network, device), config)
    for epoch in run.epochs(config["epochs"]):
        loss = train_epoch(learner, pixels, masks, config=config, epoch=epoch)
        figures = {"loss": loss}
        if epoch % 5 == 4 or epoch == config["epochs"] - 1:
            found = outline_films(learner.ema.network, val_pixels)
            scores = [film_dice(r, m) for r, m in zip(found, val_masks, strict=True)]
            figures |= {k: float(np.mean([s[k] for s in scores])) for k in ("lungs", "heart")}
        run.log(**figures)
    return run


def load_serving(checkpoint: Path) -> nn.Module:
    """Give the network of an exported version."""
    network = AnatomyNetwork()
    network.load_state_dict(read_checkpoint(checkpoint)["state"])
    return network.eval()
