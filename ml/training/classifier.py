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

from ml.training import torchvision_shim

torchvision_shim.install()

import timm  # noqa: E402  (timm imports torchvision)
from safetensors.torch import load_file  # noqa: E402

from ml.training.batches import FilmList, augment, draw_batch  # noqa: E402
from ml.training.data import Film, cache_prepared, read_layout, read_soft_labels  # noqa: E402
from ml.training.depthwise import speed_up_depthwise  # noqa: E402
from ml.training.metrics import mean_auc  # noqa: E402
from ml.vocabulary import ABNORMAL, CLASSIFIER_LABELS, NAMES  # noqa: E402

CONFIG = Path(__file__).parent / "configs" / "classifier.toml"
Config = dict[str, dict[str, Any]]
PROGRESS = ("steps", "seen", "progress", "best", "exported")  # of a checkpoint


def read_config(path: Path = CONFIG) -> Config:
    """Read a TOML config; every table and key of configs/classifier.toml is needed."""
    return tomllib.loads(path.read_text())


# --- targets ---------------------------------------------------------------------------------


def truth_of(films: Sequence[Film]) -> np.ndarray:
    """Labels as they were published, and abnormal by radiologists where they read the film.

    returns: [N, len(CLASSIFIER_LABELS)] float32 of 0 and 1
    """
    truth = np.zeros((len(films), len(CLASSIFIER_LABELS)), np.float32)
    for row, film in enumerate(films):
        for label in film.labels:
            if label in CLASSIFIER_LABELS:
                truth[row, CLASSIFIER_LABELS.index(label)] = 1
        abnormal = bool(film.labels) if not film.reading else film.reading != "normal"
        truth[row, CLASSIFIER_LABELS.index(ABNORMAL)] = abnormal
    return truth


def targets_of(
    films: Sequence[Film],
    soft: dict[str, dict[str, float]],
    *,
    soft_share: float,
    normal_share: float,
) -> np.ndarray:
    """What the network learns: labels, mixed with soft labels and with radiologists' readings.

    returns: [N, len(CLASSIFIER_LABELS)] float32 in 0..1
    """
    targets = truth_of(films)
    for row, film in enumerate(films):
        if film.reading == "normal":
            targets[row] *= normal_share
        for name, probability in soft.get(film.name, {}).items():
            column = CLASSIFIER_LABELS.index(name)
            targets[row, column] += soft_share * (probability - targets[row, column])
    return targets


# --- network ---------------------------------------------------------------------------------


def build_network(config: dict[str, Any], *, outputs: int, start: Path | None) -> nn.Module:
    """Build the network for grey films.

    start: safetensors of the ImageNet weights without head, None for random weights
    raises: RuntimeError where the weights do not fit
    """
    network: nn.Module = timm.create_model(
        config["architecture"],
        in_chans=1,
        num_classes=outputs,
        drop_rate=config["dropout"],
        drop_path_rate=config["drop_path"],
    )
    if start is not None:
        weights = load_file(start)
        stem = next(name for name, value in weights.items() if value.shape[1:2] == (3,))
        weights[stem] = weights[stem].sum(1, keepdim=True)  # grey stands for three equal colours
        missing, unexpected = network.load_state_dict(weights, strict=False)
        absent = [name for name in missing if not name.startswith("classifier.")]
        if absent or unexpected:
            raise RuntimeError(f"{start.name} does not fit: lacks {absent}, has {unexpected}")
    speed_up_depthwise(network)
    return network.to(memory_format=torch.channels_last)


def set_prior(network: nn.Module, targets: np.ndarray) -> None:
    """Start the head at the logit of each finding's share, so that early steps teach findings."""
    share = torch.from_numpy(targets.mean(0)).clamp(1e-3, 1 - 1e-3)
    head = network.get_submodule("classifier")
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.bias.copy_(torch.logit(share))
        head.weight.mul_(0.1)


@torch.inference_mode()
def infer(
    network: nn.Module,
    pixels: np.ndarray,
    config: dict[str, Any],
    *,
    mirrored: bool,
    batch: int = 64,
) -> np.ndarray:
    """Give logits for prepared films.

    pixels: [N, S, S] uint8; mirrored: take the mean with the mirrored film
    returns: [N, L] float32
    """
    network.eval()
    parts = []
    for begin in range(0, len(pixels), batch):
        chunk = torch.from_numpy(np.array(pixels[begin : begin + batch])).float()[:, None]
        chunk = ((chunk - config["mean"]) / config["std"]).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(chunk).float()
            if mirrored:
                logits = (logits + network(chunk.flip(3)).float()) / 2
        parts.append(logits.numpy())
    return np.concatenate(parts)


# --- loop ------------------------------------------------------------------------------------


class Training:
    """One run: its network, moving average, optimiser and how far it is."""

    def __init__(self, config: Config, data: Path, folder: Path) -> None:
        self.config, self.data, self.folder = config, data, folder
        schedule = config["schedule"]
        torch.manual_seed(schedule["seed"])
        self.rng = np.random.default_rng(schedule["seed"])
        films = read_layout(data)
        self.val = [film for film in films if film.split == "val" and film.source == "films"]
        self.lists = self._load_lists([film for film in films if film.split == "train"])
        start = data / config["network"]["start"]
        self.network = build_network(
            config["network"],
            outputs=len(CLASSIFIER_LABELS),
            start=start if start.exists() else None,
        )
        set_prior(self.network, self.lists["films"].targets)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.optimiser = self._build_optimiser()
        self.steps = self.seen = 0
        self.progress = self.best = 0.0
        self.exported = "average"

    def _prepared(self, films: Sequence[Film], note: str) -> np.ndarray:
        network = self.config["network"]
        paths = [film.path for film in films]
        return cache_prepared(
            paths, size=network["size"], number=network["preprocessing"], note=note
        )

    def _load_lists(self, films: Sequence[Film]) -> dict[str, FilmList]:
        soft = read_soft_labels(self.data)
        lists = {}
        for source in sorted({film.source for film in films}):
            part = [film for film in films if film.source == source]
            lists[source] = FilmList(
                self._prepared(part, f"train-{source}"),
                targets_of(part, soft, **self.config["target"]),
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
                    "rate": schedule["head_learning_rate" if head else "learning_rate"],
                    "weight_decay": schedule["weight_decay"] if decays else 0.0,
                }
                for (head, decays), parameters in groups.items()
            ]
        )

    def shares(self) -> dict[str, float]:
        """How often each list is drawn at this point of the schedule."""
        draw = dict(self.config["draw"])
        left = max(0.0, 1 - self.progress / draw.pop("lungs_only_until"))
        return {**draw, "lungs_only": draw["lungs_only"] * left}

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
        for group in self.optimiser.param_groups:
            group["lr"] = group["rate"] * factor
        pixels, targets = draw_batch(
            self.lists, shares=self.shares(), size=schedule["batch"], rng=self.rng
        )
        pixels = augment(pixels, self.config["augment"], size=self.size())
        pixels = (pixels - network["mean"]) / network["std"]
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.network(pixels.to(memory_format=torch.channels_last))
        loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), targets)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), schedule["clip_norm"])
        self.optimiser.step()
        self.steps += 1
        self.seen += schedule["batch"]
        self._update_average()
        return float(loss.detach())

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
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
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
        state = torch.load(path, weights_only=True)
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


def train(config: Config, *, data: Path, folder: Path, minutes: float | None = None) -> Path:
    """Train to the end of the schedule, resuming where a run was cut off.

    returns: path of the checkpoint with the best mean AUC on val
    """
    training = Training(config, data, folder)
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
