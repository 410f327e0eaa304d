"""Trains the reader of children's films: MobileNetV2, one question, is there a pneumonia.

Films of Guangzhou's children (Kermany et al., Cell 2018), split by patient number inside the
official train folder. The official test folder is known to differ from it, so changes of exposure,
place and sharpness are drawn wide, and nothing is chosen on it.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ml.training.backbone import CHANNELS, START, MobileStages
from ml.training.batches import FilmList, augment, draw_batch
from ml.training.data import SHARED, cache_prepared, read_kaggle_chest_xray, read_layout
from ml.training.loop import (
    Ema,
    TrainingRun,
    autocast,
    learning_rate,
    optimiser,
    seed_all,
    set_rate,
    step_down,
)
from ml.training.members import read_checkpoint
from ml.training.metrics import roc_auc

FEATURES = 1280


@dataclass(frozen=True)
class Child:
    """One film of a child.

    kind: normal, bacteria or virus; patient: number with its class, since numbers begin again
    """

    path: Path
    patient: str
    split: str
    pneumonia: bool
    kind: str


class PaediatricNetwork(nn.Module):
    """MobileNetV2 for grey films with one output, a logit of pneumonia."""

    def __init__(self, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.stages = MobileStages(len(CHANNELS))
        self.widen = nn.Conv2d(CHANNELS[-1], FEATURES, 1, bias=False)
        self.norm = nn.BatchNorm2d(FEATURES)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(FEATURES, 1)

    def load_start(self, path: Path) -> None:
        """Load ImageNet weights for all but the head."""
        from safetensors.torch import load_file

        self.stages.load_start(path)
        stored = load_file(path)
        self.widen.weight.data.copy_(stored["conv_head.weight"])
        kept = {k[4:]: v for k, v in stored.items() if k.startswith("bn2.")}
        self.norm.load_state_dict(kept, strict=False)

    def features(self, film: torch.Tensor) -> torch.Tensor:
        """Film [B, 1, S, S] in 0..1 to features [B, 1280, S / 32, S / 32]."""
        return functional.relu6(self.norm(self.widen(self.stages(film)[-1])))

    def forward(self, film: torch.Tensor) -> torch.Tensor:
        """Film [B, 1, S, S] in 0..1 to logits [B, 1]."""
        logits: torch.Tensor = self.head(self.drop(self.features(film).mean((2, 3))))
        return logits


class PaediatricGraph(nn.Module):
    """The network as it is served: logit, and what each place adds to it, mean with the mirror."""

    def __init__(self, network: PaediatricNetwork) -> None:
        super().__init__()
        self.network = network

    def _maps(self, film: torch.Tensor) -> torch.Tensor:
        head = self.network.head
        features = self.network.features(film)
        return functional.conv2d(features, head.weight[:, :, None, None], head.bias)

    def forward(self, film: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Film [B, 1, S, S] in 0..1 to logits [B, 1] and maps [B, 1, h, w]."""
        maps = (self._maps(film) + self._maps(film.flip(3)).flip(3)) / 2
        return maps.mean((2, 3)), maps


def read_children(root: Path) -> list[Child]:
    """Read guangzhou/films.csv of the shared folder, or Kaggle's chest_xray folder.

    raises: FileNotFoundError where there is neither
    """
    table = root / "guangzhou" / "films.csv"
    if table.exists():
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        return [
            Child(
                root / "guangzhou" / row["file"], f"{row['class']}/{row['patient']}", row["split"],
                row["class"] == "PNEUMONIA", row["subtype"],
            )
            for row in rows
        ]  # fmt: skip
    films = read_kaggle_chest_xray(root)
    if not films:
        raise FileNotFoundError(f"{root} holds neither guangzhou/films.csv nor train/PNEUMONIA")
    kinds = [next((k for k in ("bacteria", "virus") if k in f.name), "normal") for f in films]
    return [
        Child(film.path, film.patient, film.split, bool(film.labels), kind)
        for film, kind in zip(films, kinds, strict=True)
    ]


def load_pixels_of(films: Sequence[Child], config: dict[str, Any], *, note: str) -> np.ndarray:
    """Prepared films; returns [N, S, S] uint8."""
    paths = [film.path for film in films]
    return cache_prepared(
        paths, size=config["size"], number=config["preprocessing"], note=f"children-{note}"
    )


def _lists(config: dict[str, Any], root: Path, rng: np.random.Generator) -> dict[str, FilmList]:
    train = [film for film in read_children(root) if film.split == "train"]
    lists = {}
    for name, wanted in (("normal", False), ("pneumonia", True)):
        part = [film for film in train if film.pneumonia == wanted]
        truth = np.full((len(part), 1), wanted, np.float32)
        pixels = load_pixels_of(part, config, note=f"train-{name}")
        lists[name] = FilmList(pixels, truth, np.empty(0, np.int64), rng)
    if config["adults"]:
        lists["adults"] = _adults(config, root, rng)
    return lists


def _adults(config: dict[str, Any], root: Path, rng: np.random.Generator) -> FilmList:
    """Whole films of adults that radiologists read as opacity or as normal."""
    films = [
        film
        for film in read_layout(root)
        if (film.split, film.source) == ("train", "films") and film.reading in ("normal", "opacity")
    ]
    pixels = cache_prepared(
        [f.path for f in films],
        size=config["size"],
        number=config["preprocessing"],
        note="children-adults",
    )
    truth = np.array([[f.reading == "opacity"] for f in films], np.float32)
    return FilmList(pixels, truth, np.empty(0, np.int64), rng)


@torch.inference_mode()
def infer(network: nn.Module, pixels: np.ndarray, *, batch: int = 32) -> np.ndarray:
    """Logits of prepared films [N, S, S] uint8, mean with the mirror; returns [N] float32."""
    network.eval()
    parts = []
    for start in range(0, len(pixels), batch):
        stack = torch.from_numpy(np.array(pixels[start : start + batch]))[:, None].float() / 255
        stack = stack.contiguous(memory_format=torch.channels_last)
        with autocast():
            parts.append((network(stack) + network(stack.flip(3))).float() / 2)
    return torch.cat(parts)[:, 0].numpy()


def _train_epoch(
    network: nn.Module,
    ema: Ema,
    optimizer: torch.optim.Optimizer,
    lists: dict[str, FilmList],
    *,
    config: dict[str, Any],
    epoch: int,
) -> float:
    network.train()
    steps = config["epoch_films"] // config["batch"]
    rng = np.random.default_rng((config["seed"], epoch))
    torch.manual_seed(config["seed"] + epoch)
    share = (1 - config["adults"]) / 2
    shares = {"normal": share, "pneumonia": share, "adults": config["adults"]}
    losses = []
    for step in range(epoch * steps, (epoch + 1) * steps):
        total = steps * config["epochs"]
        set_rate(
            optimizer,
            learning_rate(step, total=total, warmup=config["warmup"], peak=config["rate"]),
        )
        pixels, truth = draw_batch(lists, shares=shares, size=config["batch"], rng=rng)
        pixels = augment(pixels, config["augment"], size=config["size"]) / 255
        with autocast():
            logits = network(pixels.to(memory_format=torch.channels_last))
        target = truth * (1 - config["smoothing"]) + config["smoothing"] / 2
        loss = functional.binary_cross_entropy_with_logits(logits.float(), target)
        step_down(optimizer, loss, network, limit=5.0)
        ema.update(network)
        losses.append(float(loss.detach()))
    return float(np.mean(losses))


def train(config: dict[str, Any], *, root: Path = SHARED, threads: int = 1) -> TrainingRun:
    """Train, or go on with, the network that a config describes; logs figures on `val`."""
    torch.set_num_threads(threads)
    seed_all(config["seed"])
    lists = _lists(config, root, np.random.default_rng(config["seed"]))
    val = [film for film in read_children(root) if film.split == "val"]
    val_pixels = load_pixels_of(val, config, note="val")
    network = PaediatricNetwork(dropout=config["dropout"])
    if (root / "weights" / START).exists():
        network.load_start(root / "weights" / START)
    network = network.to(memory_format=torch.channels_last)
    optimizer = optimiser(network, rate=config["rate"], weight_decay=config["weight_decay"])
    ema = Ema(network, decay=config["ema"])
    run = TrainingRun(config["name"])
    run.resume(network=network, ema=ema, optimizer=optimizer)
    for epoch in run.epochs(config["epochs"]):
        loss = _train_epoch(network, ema, optimizer, lists, config=config, epoch=epoch)
        run.log(loss=loss, **_val_figures(infer(ema.network, val_pixels), val))
    return run


def _val_figures(logits: np.ndarray, films: Sequence[Child]) -> dict[str, float]:
    truth = np.array([film.pneumonia for film in films])
    losses = np.logaddexp(0, np.where(truth, -logits, logits))
    balanced = (losses[truth].mean() + losses[~truth].mean()) / 2
    right = ((logits >= 0) == truth).mean()
    return {"auc": roc_auc(truth, logits), "log_loss": float(balanced), "accuracy": float(right)}


def load_serving(checkpoint: Path) -> nn.Module:
    """Give the network of an exported version."""
    network = PaediatricNetwork()
    network.load_state_dict(read_checkpoint(checkpoint)["state"])
    return PaediatricGraph(network).eval()
