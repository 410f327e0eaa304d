"""Trains the classifier: one network, 13 diseases, hernia, and whether the film is abnormal at all.

Read from top to bottom: config, targets, network, loop. Resumes from the last
checkpoint under var/checkpoints; what is exported is the better on val of the last weights
and their moving average.
"""

from __future__ import annotations

import copy
import math
import time
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from ml.training.batches import FilmList, augment, draw_batch, mix
from ml.training.classifier_network import build_network, infer, set_prior
from ml.training.data import Film, cache_prepared, read_layout, read_soft_labels, split_into_folds
from ml.training.device import CPU, autocast, place, to_cpu
from ml.training.loop import CHECKPOINTS
from ml.training.losses import loss_of
from ml.training.metrics import mean_auc
from ml.training.targets import SIDE_QUESTIONS, side_answers, targets_of, truth_of
from ml.training.views import cache_lungs
from ml.vocabulary import CLASSIFIER_LABELS, NAMES

CONFIG = Path(__file__).parent / "configs" / "classifier.toml"
Config = dict[str, dict[str, Any]]
PROGRESS = ("steps", "seen", "progress", "best", "exported")  # of a checkpoint


def read_config(path: Path = CONFIG) -> Config:
    """Read a TOML config; every table and key of configs/classifier.toml is needed."""
    return tomllib.loads(path.read_text())


class Training:
    """One run: its network, moving average, optimiser and how far it is."""

    def __init__(
        self, config: Config, data: Path, folder: Path, device: torch.device = CPU
    ) -> None:
        self.config, self.data, self.folder, self.device = config, data, folder, device
        schedule = config["schedule"]
        torch.manual_seed(schedule["seed"])
        self.rng = np.random.default_rng(schedule["seed"])
        films = read_layout(data)
        self.val = [film for film in films if film.split == "val" and film.source == "films"]
        train = [film for film in films if film.split == "train"]
        learned, left_out = split_into_folds(train, **config.get("fold", {}))
        self.left_out = [film for film in left_out if film.source == "films"]
        self.side_weight = config.get("side_questions", {}).get("weight", 0.0)
        self.lists = self._load_lists(learned)
        start = data / config["network"]["start"]
        self.network = build_network(
            config["network"],
            outputs=self.lists["films"].targets.shape[1],
            start=start if start.exists() else None,
        )
        set_prior(self.network, self.lists["films"].targets)
        self._continue_from(config["network"].get("continues"))
        self.network = place(self.network, device)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.optimiser = self._build_optimiser()
        self.steps = self.seen = 0
        self.progress = self.best = 0.0
        self.exported = "average"

    def _continue_from(self, run: str | None) -> None:
        """Start from what another run's best checkpoint exported; its schedule is not taken."""
        if run is None:
            return
        path = CHECKPOINTS / run / "best.pt"
        state = torch.load(path, map_location=CPU, weights_only=True)
        self.network.load_state_dict(state[state["exported"]])

    def _prepared(self, films: Sequence[Film], note: str) -> np.ndarray:
        network = self.config["network"]
        size, number = network["size"], network["preprocessing"]
        if network.get("view") == "lungs":
            return cache_lungs(films, size=size, number=number, note=note)
        return cache_prepared([film.path for film in films], size=size, number=number, note=note)

    def _load_lists(self, films: Sequence[Film]) -> dict[str, FilmList]:
        soft = read_soft_labels(self.data)
        lists = {}
        drawn = self.config["draw"]
        for source in sorted({film.source for film in films if drawn.get(film.source)}):
            part = [film for film in films if film.source == source]
            targets = targets_of(part, soft, **self.config["target"])
            if self.side_weight:
                targets = np.concatenate([targets, side_answers(part)], 1)
            lists[source] = FilmList(
                self._prepared(part, f"train-{source}"),
                targets,
                np.empty(0, np.int64),
                self.rng,
            )
        return lists

    def _build_optimiser(self) -> torch.optim.AdamW:
        schedule = self.config["schedule"]
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for name, parameter in self.network.named_parameters():
            groups.setdefault((name.startswith("classifier."), parameter.ndim > 1), []).append(
                parameter
            )
        return torch.optim.AdamW(
            [
                {
                    "params": parameters,
                    "head": head,
                    "rate": schedule["head_learning_rate" if head else "learning_rate"],
                    "weight_decay": schedule["weight_decay"] if decays else 0.0,
                }
                for (head, decays), parameters in groups.items()
            ]
        )

    def shares(self) -> dict[str, float]:
        """How often each list is drawn at this point of the schedule."""
        draw = dict(self.config["draw"])
        for source in ("lungs_only", "normals"):
            until = draw.pop(f"{source}_until", None)
            if until is not None:
                draw[source] *= max(0.0, 1 - self.progress / until)
        return draw

    def size(self) -> int:
        """Side of the films at this point of the schedule: small ones first cost less."""
        early = self.config["schedule"]["early_sizes"]
        sizes = [int(size) for size, until in early if self.progress < until]
        return sizes[0] if sizes else int(self.config["network"]["size"])

    def step(self) -> float:
        """Learn from one batch; returns the loss."""
        schedule, network = self.config["schedule"], self.config["network"]
        warm = min(1.0, (self.steps + 1) / schedule["warm_up_steps"])
        factor = warm * 0.5 * (1 + math.cos(math.pi * min(1.0, self.progress)))
        probing = self.progress < schedule.get("probe_until", 0.0)
        for group in self.optimiser.param_groups:
            group["lr"] = 0.0 if probing and not group["head"] else group["rate"] * factor
        pixels, targets = draw_batch(
            self.lists,
            shares=self.shares(),
            size=schedule["batch"],
            rng=self.rng,
            device=self.device,
        )
        pixels = augment(pixels, self.config["augment"], size=self.size())
        pixels, targets = mix(pixels, targets, strength=self.config["augment"].get("mixup", 0.0))
        pixels = (pixels - network["mean"]) / network["std"]
        self.network.train()
        with autocast(self.device):
            logits = self.network(pixels.to(memory_format=torch.channels_last))
        loss = self._loss(logits.float(), targets)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), schedule["clip_norm"])
        self.optimiser.step()
        self.steps += 1
        self.seen += schedule["batch"]
        self._update_average()
        return float(loss.detach())

    def _loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        findings = len(CLASSIFIER_LABELS)
        settings = self.config.get("loss", {})
        loss = loss_of(logits[:, :findings], targets[:, :findings], **settings)
        if self.side_weight:
            side = loss_of(logits[:, findings:], targets[:, findings:])
            loss = loss + self.side_weight * side * len(SIDE_QUESTIONS) / findings
        return loss

    @torch.no_grad()
    def _update_average(self) -> None:
        keep = min(self.config["schedule"]["ema"], (1 + self.steps) / (10 + self.steps))
        for ours, theirs in zip(
            self.average.state_dict().values(), self.network.state_dict().values(), strict=True
        ):
            if ours.dtype.is_floating_point:
                ours.lerp_(theirs, 1 - keep)
            else:
                ours.copy_(theirs)

    def evaluate(self) -> float:
        """Mean AUC of the 13 on val, of the better of the last weights and their average."""
        pixels = self._prepared(self.val, "val-films")
        truth = truth_of(self.val)[:, : len(NAMES)]
        areas = {}
        for kind, network in (("average", self.average), ("network", self.network)):
            logits = infer(network, pixels, self.config["network"], mirrored=True)
            areas[kind] = mean_auc(truth, logits[:, : len(NAMES)])
        self.exported = max(areas, key=lambda kind: areas[kind])
        return areas[self.exported]

    def save(self, name: str) -> Path:
        """Write a checkpoint that resume() and the export read."""
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / name
        state = {
            "network": to_cpu(self.network.state_dict()),
            "average": to_cpu(self.average.state_dict()),
            "optimiser": to_cpu(self.optimiser.state_dict()),
            "config": self.config,
            "labels": list(CLASSIFIER_LABELS),
            **{key: getattr(self, key) for key in PROGRESS},
        }
        torch.save(state, target.with_suffix(".partial"))
        target.with_suffix(".partial").rename(target)
        return target

    def resume(self) -> bool:
        """Go on from the last checkpoint, if there is one."""
        path = self.folder / "last.pt"
        if not path.exists():
            return False
        state = torch.load(path, map_location=CPU, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        for key in PROGRESS:
            setattr(self, key, state[key])
        self._reseed(self.config["schedule"]["seed"] + self.steps)
        return True

    def _reseed(self, seed: int) -> None:
        """Draw other films and changes than the part of the run before did."""
        torch.manual_seed(seed)
        self.rng = np.random.default_rng(seed)
        for films in self.lists.values():
            films.rng = self.rng


def steps_of(training: Training, *, minutes: float | None) -> Iterator[float]:
    """Step until the schedule's end; yields the loss.

    minutes: where given, the schedule goes by the clock as well, so that it ends within them
    """
    schedule = training.config["schedule"]
    ends = None if minutes is None else time.monotonic() + minutes * 60
    while training.progress < 1:
        begun, left = time.monotonic(), schedule["films"] - training.seen
        loss = training.step()
        share = 1.0 if left <= schedule["batch"] else schedule["batch"] / left
        if ends is not None:
            took = time.monotonic() - begun
            share = max(share, took / max(ends - begun, took))
        gone = training.progress + (1 - training.progress) * share
        training.progress = 1.0 if share >= 1 else gone
        yield loss


def train(
    config: Config,
    *,
    data: Path,
    folder: Path,
    minutes: float | None = None,
    device: torch.device = CPU,
) -> Path:
    """Train to the end of the schedule, resuming where a run was cut off.

    returns: path of the checkpoint with the best mean AUC on val
    """
    training = Training(config, data, folder, device)
    resumed = training.resume()
    tqdm.write(f"{'resumed at' if resumed else 'from'} {training.seen} films")
    schedule = config["schedule"]
    bar = tqdm(total=schedule["films"], initial=training.seen, unit="film", mininterval=10)
    next_check = training.seen + schedule["evaluate_every"]
    losses: list[float] = []
    for loss in steps_of(training, minutes=minutes):
        losses.append(loss)
        bar.update(schedule["batch"])
        if training.seen >= next_check or training.progress >= 1:
            next_check += schedule["evaluate_every"]
            auc = training.evaluate()
            tqdm.write(
                f"films {training.seen} progress {training.progress:.3f} "
                f"loss {np.mean(losses):.4f} val AUC of 13 {auc:.4f}"
            )
            losses.clear()
            if auc > training.best:
                training.best = auc
                training.save("best.pt")
            training.save("last.pt")
    bar.close()
    return folder / "best.pt"
