"""What the exports of gate, anatomy, anomaly networks and detector share."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ml.bundle import Input
from ml.runtime import Graph, load_graph
from ml.training.export import Contract, Evidence, write_bundle
from ml.training.loop import CHECKPOINTS, TrainingRun, configs_of

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
    saved = read_checkpoint(TrainingRun(run_name).path)
    network.load_state_dict(saved["ema"]["network"])
    network.eval()
    return _spent(saved)


def _spent(saved: dict[str, Any]) -> dict[str, float]:
    hours = float(saved["seconds"]) / 3600
    return {"training_hours": round(hours, 2), "training_epochs": float(saved["epoch"])}


def parts_of(config: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, float]]]:
    """The parts of a training, first to last, each with its hours and epochs."""
    return [
        (part, _spent(read_checkpoint(TrainingRun(part["name"]).path)))
        for part in configs_of(config)
    ]


def load_last_part(network: nn.Module, config: dict[str, Any]) -> dict[str, float]:
    """Load the averaged weights of a training's last part; returns hours and epochs of all."""
    parts = parts_of(config)
    load_average(network, parts[-1][0]["name"])
    return {name: round(sum(spent[name] for _, spent in parts), 2) for name in parts[0][1]}


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
