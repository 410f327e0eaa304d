"""Turns the classifier's checkpoints into a bundle: graph, calibration, operating points, figures.

Each checkpoint is a member that reads one view of the film; the logits are the mean of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ml.bundle import WEIGHTS, Bundle, Input
from ml.classify import WHOLE
from ml.training.classifier_network import build_network
from ml.training.classifier_report import DRAWN, evidence_of, fit_and_measure
from ml.training.export import Contract, write_bundle
from ml.training.loop import CHECKPOINTS
from ml.training.storing import round_weights

OUTPUTS = ("logits", "maps")
RUNS = ("classifier_320", "classifier_lungs_320")  # whose best checkpoints are exported by default
BITS = 8


class Member(nn.Module):
    """One network: logits, and what each place of its view adds to them.

    size: side of its view; mirrored: take the mean with the mirrored film
    """

    def __init__(self, network: nn.Module, *, size: int, mirrored: bool) -> None:
        super().__init__()
        self.network = network
        self.size = size
        self.mirrored = mirrored

    def _maps(self, film: torch.Tensor) -> torch.Tensor:
        features = self.network.forward_features(film)  # type: ignore[operator]  # [B, C, h, w]
        head = self.network.get_submodule("classifier")
        assert isinstance(head, nn.Linear)
        return nn.functional.conv2d(features, head.weight[:, :, None, None], head.bias)

    def forward(self, film: torch.Tensor) -> torch.Tensor:
        """film [B, 1, S, S], in its upper left corner, to maps [B, L, h, w] of mean logits."""
        film = film[:, :, : self.size, : self.size]
        maps = self._maps(film)
        if self.mirrored:
            maps = (maps + self._maps(film.flip(3)).flip(3)) / 2
        return maps


class ClassifierGraph(nn.Module):
    """The classifier as it is served.

    members: one for each channel of the input, the one of the whole film first
    """

    def __init__(self, members: Sequence[Member]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """views [B, V, S, S] to logits [B, L] and the first member's maps [B, L, h, w]."""
        others = [
            member(views[:, number : number + 1]).mean((2, 3))
            for number, member in enumerate(self.members)
            if number
        ]
        maps = self.members[0](views[:, :1])  # last, so that the graph's last weights are its head
        return torch.stack([maps.mean((2, 3)), *others]).mean(0), maps


def side_of(config: dict[str, Any]) -> int:
    """Side at which a network is served: the one that it learned on, unless its config differs."""
    return int(config.get("served", config["size"]))


def _member(state: dict[str, Any], bits: int) -> Member:
    config = state["config"]["network"]
    network = build_network(config, outputs=len(state["labels"]), start=None)
    network.load_state_dict(state["weights"])
    round_weights(network, bits=bits)
    mirrored = bool(config.get("mirrored", False))
    return Member(network, size=side_of(config), mirrored=mirrored)


def load_serving(checkpoint: Path) -> nn.Module:
    """Give the network as its graph was exported."""
    kept = torch.load(checkpoint, weights_only=True)
    return ClassifierGraph([_member(state, kept["bits"]) for state in kept["members"]]).eval()


def keep_members(checkpoints: Sequence[Path], kept: Path, *, bits: int = BITS) -> dict[str, Any]:
    """Write what a version is exported from: of each run the weights that are best on val.

    raises: ValueError where the first does not read the whole film
    """
    members = []
    for path in checkpoints:
        state = torch.load(path, weights_only=True)
        members.append(
            {
                "weights": state[state["exported"]],
                "config": state["config"],
                "labels": state["labels"],
                "seen": films_drawn(state),
            }
        )
    if members[0]["config"]["network"].get("view", WHOLE) != WHOLE:
        raise ValueError(
            f"{checkpoints[0]} does not read the whole film; name it after one that does"
        )
    kept.parent.mkdir(parents=True, exist_ok=True)
    said = {"members": members, "bits": bits}
    torch.save(said, kept)
    return said


def films_drawn(state: dict[str, Any]) -> int:
    """Films drawn by a run and by those that it went on from."""
    before = state["config"]["network"].get("continues")
    if before is None:
        return int(state["seen"])
    earlier = torch.load(CHECKPOINTS / before / "best.pt", weights_only=True)
    return int(state["seen"]) + films_drawn(earlier)


def export(
    version: str,
    *,
    data: Path,
    checkpoints: Sequence[Path] | None = None,
    weights: Path = WEIGHTS,
) -> Bundle:
    """Export checkpoints as a version, calibrated on val and measured on test.

    checkpoints: the best ones of RUNS where not given; they are kept under the version's name for
    the torch backend
    """
    checkpoints = checkpoints or [CHECKPOINTS / run / "best.pt" for run in RUNS]
    kept = CHECKPOINTS / "classifier" / f"{version}.pt"
    said = keep_members(checkpoints, kept)
    network = load_serving(kept)
    return _write(version, network, said["members"], data=data, weights=weights)


def _write(
    version: str,
    network: nn.Module,
    members: Sequence[dict[str, Any]],
    *,
    data: Path,
    weights: Path,
) -> Bundle:
    """Write the bundle twice: its figures are taken from the graph as it is served."""
    configs = [member["config"]["network"] for member in members]
    first = configs[0]
    views = {config.get("view", WHOLE): side_of(config) for config in configs}
    expected = Input(max(views.values()), len(members), first["mean"], first["std"])
    bare = Contract(
        expected,
        first["preprocessing"],
        labels=(),
        outputs=OUTPUTS,
        operating_points={},
        settings={"views": views},
    )

    def write(contract: Contract, metrics: dict[str, Any]) -> Bundle:
        evidence = evidence_of(metrics)
        return write_bundle(
            "classifier", version, network,
            contract=contract, evidence=evidence, weights=weights, bits=BITS,
        )  # fmt: skip

    contract, metrics = fit_and_measure(write(bare, {}), bare, data=data, weights=weights)
    drawn = {view: member["seen"] for view, member in zip(views, members, strict=True)}
    return write(contract, {DRAWN: drawn, **metrics})
