"""Trains the gate: the first six stages of MobileNetV2 with three small heads.

One pass says what kind of picture it is, how it is turned, and whether black and white are swapped;
good films are turned, inverted and cropped on the fly, so every draw carries its own truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ml.gate import KINDS
from ml.training.backbone import CHANNELS, START, MobileStages
from ml.training.data import SHARED, cache_prepared
from ml.training.device import CPU, autocast, home_of, place, send
from ml.training.gate_films import GateDraw, GateFilm, draw_one, read_gate_films
from ml.training.loop import Learner, TrainingRun, begin, run_epoch, seed_all
from ml.training.members import read_checkpoint

STAGES = 6  # of MobileNetV2's seven; the last two layers hold half of its weights


class GateNetwork(nn.Module):
    """MobileNetV2's first stages, pooled, with heads for kind, turn and inversion."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = MobileStages(STAGES)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(CHANNELS[STAGES - 1], len(KINDS) + 4 + 1)

    def logits(self, film: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Give logits of kind [B, 5], turn [B, 4] and inversion [B, 1] for film [B, 1, S, S]."""
        features = self.stages(film)[-1].mean((2, 3))  # [B, 160]
        kind, turn, inverted = self.head(self.drop(features)).split([len(KINDS), 4, 1], 1)
        return kind, turn, inverted

    def forward(self, film: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Give probabilities of kind [B, 5], turn [B, 4] and inversion [B, 1].

        film: [B, 1, S, S] in 0..1
        """
        kind, turn, inverted = self.logits(film)
        return kind.softmax(1), turn.softmax(1), inverted.sigmoid()


def pools_of(films: Sequence[GateFilm], *, split: str) -> list[np.ndarray]:
    """Rows of the films of a split that are frontal, lateral, and neither."""
    return [
        np.array([i for i, f in enumerate(films) if f.kind == kind and f.split == split])
        for kind in ("frontal", "lateral", "other")
    ]


def loss_of(network: GateNetwork, draws: Sequence[GateDraw], *, bf16: bool) -> torch.Tensor:
    """Mean loss of a batch; turn and inversion are learned from chest films alone."""
    here = home_of(network)
    pixels = send(torch.from_numpy(np.stack([d.pixels for d in draws])), here)
    stack = pixels.unsqueeze(1).float() / 255
    with autocast(here, enabled=bf16):
        logits = network.logits(stack.contiguous(memory_format=torch.channels_last))
    kind, turn, inverted = (part.float() for part in logits)
    rows = [row for row, d in enumerate(draws) if d.judged]
    judged = send(torch.tensor(rows, dtype=torch.long), here)
    kinds = send(torch.tensor([d.kind for d in draws]), here)
    loss = functional.cross_entropy(kind, kinds, label_smoothing=0.02)
    turns = send(torch.tensor([d.turn for d in draws]), here)[judged]
    swapped = send(torch.tensor([[float(d.inverted)] for d in draws]), here)[judged]
    loss = loss + functional.cross_entropy(turn[judged], turns, label_smoothing=0.02)
    return loss + functional.binary_cross_entropy_with_logits(inverted[judged], swapped)


@torch.no_grad()
def run_network(network: nn.Module, pixels: np.ndarray, *, batch: int = 32) -> list[np.ndarray]:
    """Run a network on prepared films.

    pixels: [N, S, S] uint8; returns: one array [N, ...] per output
    """
    network.eval()
    here = home_of(network)
    parts = []
    for start in range(0, len(pixels), batch):
        films = send(torch.from_numpy(np.array(pixels[start : start + batch])), here)
        stack = films.unsqueeze(1).float() / 255
        parts.append(network(stack.contiguous(memory_format=torch.channels_last)))
    return [np.concatenate([part[k].cpu().numpy() for part in parts]) for k in range(len(parts[0]))]


def val_figures(network: GateNetwork, draws: Sequence[GateDraw]) -> dict[str, float]:
    """Accuracy of the three heads on fixed draws from val."""
    kind, turn, inverted = run_network(network, np.stack([d.pixels for d in draws]))
    judged = np.array([d.judged for d in draws])
    truth = np.array([d.kind for d in draws])
    swapped = np.array([d.inverted for d in draws])
    figures = {"kind": float((kind.argmax(1) == truth).mean())}
    for index, name in enumerate(KINDS):
        rows = truth == index
        figures[f"kind_{name}"] = float((kind[rows].argmax(1) == index).mean())
    figures["turn"] = float((turn.argmax(1) == [d.turn for d in draws])[judged].mean())
    figures["inverted"] = float(((inverted[:, 0] > 0.5) == swapped)[judged].mean())
    return figures


def train_epoch(
    learner: Learner,
    pools: Sequence[np.ndarray],
    pixels: np.ndarray,
    *,
    config: dict[str, Any],
    epoch: int,
) -> float:
    """Run one epoch of `steps` batches; returns the mean loss."""
    rng = np.random.default_rng((config["seed"], epoch))
    network = learner.network
    assert isinstance(network, GateNetwork)

    def step(_number: int) -> float:
        draws = [
            draw_one(pools, pixels, size=config["size"], rng=rng) for _ in range(config["batch"])
        ]
        return learner.learn(loss_of(network, draws, bf16=config.get("bf16", True)))

    return run_epoch(learner, step, config=config, epoch=epoch, steps=config["steps"])


def train(
    config: dict[str, Any],
    *,
    root: Path = SHARED,
    threads: int = 1,
    device: torch.device = CPU,
) -> TrainingRun:
    """Train, or go on with, the gate that a config describes; logs figures on `val`."""
    torch.set_num_threads(threads)
    seed_all(config["seed"])
    films = read_gate_films(root, normals=config["normals"])
    used = [film for film in films if film.split in ("train", "val")]
    pixels = cache_prepared(
        [f.path for f in used], size=config["stored"], number=config["preprocessing"], note="gate"
    )
    rng = np.random.default_rng(config["seed"])
    val_pools = pools_of(used, split="val")
    val = [draw_one(val_pools, pixels, size=config["size"], rng=rng) for _ in range(config["val"])]
    network = GateNetwork()
    network.stages.load_start(root / "weights" / START)
    learner, run = begin(place(network, device), config)
    pools = pools_of(used, split="train")
    for epoch in run.epochs(config["epochs"]):
        loss = train_epoch(learner, pools, pixels, config=config, epoch=epoch)
        average = learner.ema.network
        assert isinstance(average, GateNetwork)
        run.log(loss=loss, **val_figures(average, val))
    return run


def load_serving(checkpoint: Path) -> nn.Module:
    """Give the network of an exported version."""
    network = GateNetwork()
    network.load_state_dict(read_checkpoint(checkpoint)["state"])
    return network.eval()
