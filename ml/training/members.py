"""What the exports of gate, anatomy, anomaly networks and detector share."""

from __future__ import annotations

import os
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ml.bundle import Input
from ml.runtime import Graph, load_graph
from ml.training.export import LARGE, Contract, Evidence, write_bundle
from ml.training.loop import CHECKPOINTS, TrainingRun

LICENCE = "AGPL-3.0"
NIH = "NIH ChestX-ray14 (NIH Clinical Center; Wang et al., CVPR 2017)"
RSNA = "readings of RSNA's 2018 challenge (Shih et al., Radiology AI 2019)"
HOURS = "training_hours: wall-clock, on one thread of cores shared with other work."
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
    """Round large weights to 16 bits, as the graph stores them, so that torch and graph agree.

    The exporter folds a batch norm into the convolution before it, so the product is what has to
    be a 16-bit number there.
    """
    folded = set()
    for layer, norm in pairwise(network.modules()):
        if not isinstance(layer, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d):
            continue
        assert norm.running_var is not None
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)  # [out]
        scale = torch.where(scale.abs() < 1e-8, torch.ones_like(scale), scale).view(-1, 1, 1, 1)
        if layer.weight.numel() >= LARGE:
            layer.weight.copy_((layer.weight * scale).half().float() / scale)
        folded.add(layer.weight)
    for value in [*network.parameters(), *network.buffers()]:
        if value.is_floating_point() and value.numel() >= LARGE and value not in folded:
            value.copy_(value.half().float())


def load_draft(member: str, network: nn.Module, contract: Contract) -> Graph:
    """Export a network to a folder that does not last, and load it as serving does.

    What ships is what gets measured, and an engine is several times faster than torch.
    """
    with tempfile.TemporaryDirectory() as folder:
        draft = write_bundle(
            member,
            "draft",
            network,
            contract=contract,
            evidence=Evidence("A draft.", "", LICENCE, metrics={}),
            weights=Path(folder),
        )
        return load_graph(draft, threads=1)


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
