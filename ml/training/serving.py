"""Builds a network from its training checkpoint, for the torch backend and for parity tests."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from torch import nn

# each module has load_serving(checkpoint) → a network whose outputs are those of its graph
MODULES = {
    "classifier": "ml.training.classifier_export",
    "detector": "ml.training.detector",
    "unet": "ml.training.anomaly_report",
    "reversed_ae": "ml.training.anomaly_report",
    "anatomy": "ml.training.anatomy",
    "gate": "ml.training.gate",
    "paediatric": "ml.training.paediatric",
}


def load_serving(member: str, checkpoint: Path) -> nn.Module:
    """Give the network of a member as its graph was exported, in evaluation mode."""
    module: Any = importlib.import_module(MODULES[member])
    network: nn.Module = module.load_serving(checkpoint)
    return network.eval()
