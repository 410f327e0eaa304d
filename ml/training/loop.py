"""What every training here shares: seeds, learning rate, weight average, checkpoints, hours."""

from __future__ import annotations

import copy
import json
import math
import random
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ml.training.device import to_cpu

CONFIGS = Path(__file__).parent / "configs"
CHECKPOINTS = Path("var/checkpoints")
LOGS = Path("var/logs")


def load_config(name: str) -> dict[str, Any]:
    """Read `configs/<name>.toml`, or the file itself where `name` is a path to one."""
    path = Path(name) if name.endswith(".toml") else CONFIGS / f"{name}.toml"
    with path.open("rb") as file:
        return {"name": path.stem, **tomllib.load(file)}


def configs_of(config: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of a training, first to last.

    config: `ends` names the run that is exported, where it is not the config's own; each part's
    `continues` names the one before
    """
    parts = [load_config(config["ends"]) if "ends" in config else config]
    while "continues" in parts[0]:
        parts.insert(0, load_config(parts[0]["continues"]))
    return parts


def seed_all(seed: int) -> None:
    """Seed Python, numpy and torch."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def learning_rate(step: int, *, total: int, warmup: int, peak: float, floor: float = 0.01) -> float:
    """Linear warm-up to `peak`, then a cosine down to `floor * peak` at `total`."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, total - warmup))
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done)))


class Ema:
    """Exponential moving average of a network's weights, which is what gets evaluated.

    The decay warms up (as in ultralytics and timm) so that the first steps do not weigh for long.
    """

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        self.network = copy.deepcopy(network).eval()
        self.network.requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move the average towards `network`; counters and other integers are copied."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        source = network.state_dict()
        for key, value in self.network.state_dict().items():
            if value.dtype.is_floating_point:
                value.lerp_(source[key].to(value.dtype), 1 - decay)
            else:
                value.copy_(source[key])

    def state_dict(self) -> dict[str, Any]:
        """The average and how many steps it has seen."""
        return {"network": self.network.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved average."""
        self.network.load_state_dict(state["network"])
        self.updates = int(state["updates"])


class TrainingRun:
    """A resumable training: a checkpoint after each epoch, one JSON line of figures, hours kept.

    name: names `var/checkpoints/<name>.pt` and `var/logs/<name>.jsonl`
    """

    def __init__(self, name: str, *, folder: Path = CHECKPOINTS, logs: Path = LOGS) -> None:
        self.path = folder / f"{name}.pt"
        self.log_path = logs / f"{name}.jsonl"
        self.parts: dict[str, Any] = {}
        self.epoch = 0
        self.seconds = 0.0
        self._since = time.monotonic()

    def resume(self, **parts: Any) -> bool:
        """Register what has a `state_dict`, and load all of it where a checkpoint stands."""
        self.parts = parts
        if not self.path.exists():
            return False
        saved = torch.load(self.path, map_location="cpu", weights_only=True)
        for key, part in parts.items():
            part.load_state_dict(saved[key])
        self.epoch, self.seconds = int(saved["epoch"]), float(saved["seconds"])
        return True

    def epochs(self, total: int) -> Iterator[int]:
        """Yield the epochs still to do; after each, the checkpoint is written whole or not."""
        while self.epoch < total:
            yield self.epoch
            self.epoch += 1
            self.save()

    def save(self) -> None:
        """Write the checkpoint beside its place and move it there."""
        now = time.monotonic()
        self.seconds += now - self._since
        self._since = now
        state = {key: to_cpu(part.state_dict()) for key, part in self.parts.items()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".part")
        torch.save({**state, "epoch": self.epoch, "seconds": self.seconds}, beside)
        beside.replace(self.path)

    def log(self, **figures: float) -> None:
        """Append one line of figures to the log, and print it."""
        line = {"epoch": self.epoch + 1, **{k: round(float(v), 5) for k, v in figures.items()}}
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)

    @property
    def hours(self) -> float:
        """Wall-clock hours of training, over all resumed parts."""
        return self.seconds / 3600


def optimiser(network: nn.Module, *, rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW with weight decay on matrices and kernels only."""
    decayed = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set one learning rate for every group."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def step_down(
    optimizers: Sequence[torch.optim.Optimizer], loss: torch.Tensor, *, limit: float = 5.0
) -> None:
    """One step of each optimiser, with the norm of its parameters' gradient clipped to `limit`."""
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    loss.backward()
    for optimizer in optimizers:
        nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], limit)
        optimizer.step()


@dataclass(frozen=True)
class Learner:
    """A network with its average and what moves it.

    optimizers: by the name under which a checkpoint keeps each
    """

    network: nn.Module
    ema: Ema
    optimizers: dict[str, torch.optim.Optimizer]

    def learn(self, loss: torch.Tensor, *, limit: float = 5.0) -> float:
        """One step of every optimiser; returns the loss."""
        step_down(list(self.optimizers.values()), loss, limit=limit)
        return float(loss.detach())


def make_learner(
    network: nn.Module,
    config: dict[str, Any],
    *,
    optimizers: dict[str, torch.optim.Optimizer] | None = None,
) -> Learner:
    """Give a network its average and its optimisers, AdamW where none are named."""
    if optimizers is None:
        rate, decay = config["rate"], config["weight_decay"]
        optimizers = {"optimizer": optimiser(network, rate=rate, weight_decay=decay)}
    return Learner(network, Ema(network, decay=config["ema"]), optimizers)


def begin(
    network: nn.Module,
    config: dict[str, Any],
    *,
    optimizers: dict[str, torch.optim.Optimizer] | None = None,
) -> tuple[Learner, TrainingRun]:
    """Set up the training that a config names, at its checkpoint where one stands.

    Where none stands and the config says `continues`, the averaged weights of that run are the
    start, as far as they fit.
    """
    run = TrainingRun(config["name"])
    if "continues" in config and not run.path.exists():
        path = TrainingRun(config["continues"]).path
        saved = torch.load(path, map_location="cpu", weights_only=True)["ema"]["network"]
        own = network.state_dict()
        fitting = {k: v for k, v in saved.items() if k in own and own[k].shape == v.shape}
        network.load_state_dict(fitting, strict=False)
        print(f"{len(fitting)} of {len(own)} tensors from {path}", flush=True)
    learner = make_learner(network, config, optimizers=optimizers)
    run.resume(network=network, ema=learner.ema, **learner.optimizers)
    return learner, run


def run_epoch(
    learner: Learner,
    step: Callable[[int], float],
    *,
    config: dict[str, Any],
    epoch: int,
    steps: int,
) -> float:
    """Run one epoch at the schedule's learning rate, and move the average after each step.

    step: learns from the batch of the given number within the epoch, and returns its loss
    returns: the mean loss
    """
    learner.network.train()
    losses = []
    for number in range(steps):
        rate = learning_rate(
            epoch * steps + number,
            total=steps * config["epochs"],
            warmup=config["warmup"],
            peak=config["rate"],
        )
        for optimizer in learner.optimizers.values():
            set_rate(optimizer, rate)
        losses.append(step(number))
        learner.ema.update(learner.network)
    return float(np.mean(losses))
