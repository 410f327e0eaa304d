"""Turns a classifier's checkpoint into a bundle: graph, calibration, operating points, figures."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ml.bundle import WEIGHTS, Bundle, Input
from ml.training.classifier_network import build_network
from ml.training.classifier_report import DRAWN, evidence_of, fit_and_measure
from ml.training.export import Contract, write_bundle
from ml.training.loop import CHECKPOINTS
from ml.training.members import round_weights

OUTPUTS = ("logits", "maps")


class ClassifierGraph(nn.Module):
    """The classifier as it is served: logits, and what each place of the film adds to them.

    mirrored: take the mean with the mirrored film
    """

    def __init__(self, network: nn.Module, *, mirrored: bool) -> None:
        super().__init__()
        self.network = network
        self.mirrored = mirrored

    def _maps(self, film: torch.Tensor) -> torch.Tensor:
        features = self.network.forward_features(film)  # type: ignore[operator]  # [B, C, h, w]
        head = self.network.get_submodule("classifier")
        assert isinstance(head, nn.Linear)
        return nn.functional.conv2d(features, head.weight[:, :, None, None], head.bias)

    def forward(self, film: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """film [B, 1, S, S] to logits [B, L] and maps [B, L, h, w], whose mean the logits are."""
        maps = self._maps(film)
        if self.mirrored:
            maps = (maps + self._maps(film.flip(3)).flip(3)) / 2
        return maps.mean((2, 3)), maps


def load_serving(checkpoint: Path) -> nn.Module:
    """Give the network as its graph was exported."""
    state = torch.load(checkpoint, weights_only=True)
    config: dict[str, Any] = state["config"]
    network = build_network(config["network"], outputs=len(state["labels"]), start=None)
    network.load_state_dict(state[state["exported"]])
    mirrored = bool(config["network"].get("mirrored", True))
    round_weights(network)
    return ClassifierGraph(network, mirrored=mirrored).eval()


def export(
    version: str, *, data: Path, checkpoint: Path | None = None, weights: Path = WEIGHTS
) -> Bundle:
    """Export a checkpoint as a version, calibrated on val and measured on test.

    checkpoint: var/checkpoints/classifier/best.pt where not given; it is kept under the version's
    name for the torch backend
    """
    checkpoint = checkpoint or CHECKPOINTS / "classifier" / "best.pt"
    kept = CHECKPOINTS / "classifier" / f"{version}.pt"
    if checkpoint != kept:
        shutil.copyfile(checkpoint, kept)
    network = load_serving(kept)
    state = torch.load(kept, weights_only=True)
    config = {**state["config"]["network"], "seen": films_drawn(state)}
    return _write(version, network, config, data=data, weights=weights)


def films_drawn(state: dict[str, Any]) -> int:
    """Films drawn by a run and by those that it went on from."""
    before = state["config"]["network"].get("continues")
    if before is None:
        return int(state["seen"])
    earlier = torch.load(CHECKPOINTS / before / "best.pt", weights_only=True)
    return int(state["seen"]) + films_drawn(earlier)


def _write(
    version: str, network: nn.Module, config: dict[str, Any], *, data: Path, weights: Path
) -> Bundle:
    """Write the bundle twice: its figures are taken from the graph as it is served."""
    expected = Input(config["size"], 1, config["mean"], config["std"])
    number = config["preprocessing"]
    bare = Contract(expected, number, labels=(), outputs=OUTPUTS, operating_points={})
    name = "classifier"
    bundle = write_bundle(
        name, version, network, contract=bare, evidence=evidence_of({}), weights=weights
    )
    contract, metrics = fit_and_measure(bundle, bare, data=data, weights=weights)
    metrics = {DRAWN: config["seen"], **metrics}
    return write_bundle(
        name, version, network, contract=contract, evidence=evidence_of(metrics), weights=weights
    )
