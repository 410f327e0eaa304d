"""What the exports of gate, anatomy, anomaly networks and detector share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ml.bundle import Input
from ml.training.export import LARGE
from ml.training.loop import CHECKPOINTS, TrainingRun

LICENCE = "AGPL-3.0"
NIH = "NIH ChestX-ray14 (NIH Clinical Center; Wang et al., CVPR 2017)"
RSNA = "readings of RSNA's 2018 challenge (Shih et al., Radiology AI 2019)"
GUANGZHOU = "films of Guangzhou children (Kermany et al., CC BY 4.0)"


def grey_input(size: int) -> Input:
    """Input of every graph here: one channel, grey in 0..1."""
    return Input(size=size, channels=1, mean=0.0, std=255.0)


def load_average(network: nn.Module, run_name: str) -> dict[str, float]:
    """Load the averaged weights of a training.

    returns: its hours and epochs, for the card
    raises: FileNotFoundError where it has no checkpoint
    """
    run = TrainingRun(run_name)
    saved = torch.load(run.path, map_location="cpu", weights_only=True)
    network.load_state_dict(saved["ema"]["network"])
    network.eval()
    hours = float(saved["seconds"]) / 3600
    return {"training_hours": round(hours, 2), "training_epochs": float(saved["epoch"])}


@torch.no_grad()
def round_weights(network: nn.Module) -> None:
    """Round large weights to 16 bits, as the graph stores them, so that torch and graph agree."""
    for value in [*network.parameters(), *network.buffers()]:
        if value.is_floating_point() and value.numel() >= LARGE:
            value.copy_(value.half().float())


def keep_checkpoint(member: str, version: str, state: dict[str, Any]) -> Path:
    """Keep what a version was exported from, for the torch backend."""
    folder = Path(os.environ.get("XRAYDX_VAR", "var")) / CHECKPOINTS.name / member
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{version}.pt"
    torch.save(state, path)
    return path


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read what keep_checkpoint wrote."""
    saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return saved
