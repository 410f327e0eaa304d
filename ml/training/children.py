"""Measures every trained reader of children's films on the same films: MobileNetV2 and Xception.

Written once by `python -m ml evaluate children` into measured/children.json, which docs/models.md
shows. A run that has no checkpoint is left as it is stored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml.training.child_networks import build_reader
from ml.training.children_table import STORED
from ml.training.loop import CHECKPOINTS, load_config
from ml.training.members import load_average, parts_of
from ml.training.paediatric import read_children
from ml.training.paediatric_report import fit_reader, logits_of, measure_reader
from ml.training.storing import round_weights

COMMAND = "python -m ml evaluate children"
RUNS = ("paediatric", "paediatric_shapes", "paediatric_xception")


def measure_run(config: dict[str, Any], data: Path) -> dict[str, Any]:
    """Figures of one run's averaged weights, with calibration and threshold of its own."""
    network = build_reader(config.get("architecture", ""))
    load_average(network, config["name"])
    round_weights(network)
    films = read_children(data)
    logits = logits_of(network, films, config)
    calibration, points = fit_reader(logits, films)
    parts = parts_of({name: value for name, value in config.items() if name != "ends"})
    weights = sum(parameter.numel() for parameter in network.parameters())
    return {
        "network": type(network).__name__.removesuffix("Network"),
        "weights": weights,
        "megabytes": round(weights * 2 / 1e6, 2),  # in 16 bits
        "films drawn": sum(
            int(spent["training_epochs"]) * part["epoch_films"] for part, spent in parts
        ),
        **measure_reader(logits, films, calibration, points["alert"].threshold),
    }


def write(data: Path, *, path: Path = STORED) -> Mapping[str, Any]:
    """Measure the runs that have a checkpoint and store them; returns all that is stored."""
    said: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"runs": {}}
    said["command"] = COMMAND
    for name in RUNS:
        if (CHECKPOINTS / f"{name}.pt").exists():
            said["runs"][name] = measure_run(load_config(name), data)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(said, indent=1) + "\n")
    return said
