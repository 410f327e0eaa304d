"""Trains the reader of children's films, which has one question: is there a pneumonia.

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

from ml.training.backbone import START
from ml.training.batches import FilmList, augment, draw_batch
from ml.training.child_changes import change_films, swap_shapes
from ml.training.child_networks import PaediatricGraph, PaediatricNetwork, build_reader
from ml.training.data import SHARED, cache_prepared, read_kaggle_chest_xray, read_layout
from ml.training.device import CPU, autocast, home_of, place, send
from ml.training.loop import Learner, TrainingRun, begin, run_epoch, seed_all
from ml.training.members import read_checkpoint
from ml.training.metrics import roc_auc


@dataclass(frozen=True)
class Child:
    """One film of a child.

    kind: normal, bacteria or virus; patient: number with its class, since numbers begin again
    aspect: how its shape reached us, empty where that is not known
    """

    path: Path
    patient: str
    split: str
    pneumonia: bool
    kind: str
    aspect: str = ""


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
                row["class"] == "PNEUMONIA", row["subtype"], row.get("aspect", ""),
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
    here = home_of(network)
    parts = []
    for start in range(0, len(pixels), batch):
        films = send(torch.from_numpy(np.array(pixels[start : start + batch])), here)
        stack = films[:, None].float() / 255
        stack = stack.contiguous(memory_format=torch.channels_last)
        with autocast(here):
            parts.append((network(stack) + network(stack.flip(3))).float() / 2)
    return torch.cat(parts)[:, 0].cpu().numpy()


def train_epoch(
    learner: Learner, lists: dict[str, FilmList], *, config: dict[str, Any], epoch: int
) -> float:
    """Draw `epoch_films` films, each kind in its share; returns the mean loss."""
    rng = np.random.default_rng((config["seed"], epoch))
    torch.manual_seed(config["seed"] + epoch)
    here = home_of(learner.network)
    share = (1 - config["adults"]) / 2
    shares = {"normal": share, "pneumonia": share, "adults": config["adults"]}

    def step(_number: int) -> float:
        pixels, truth = draw_batch(lists, shares=shares, size=config["batch"], rng=rng, device=here)
        if "shortcuts" in config:
            pixels = change_films(pixels, config["shortcuts"])
        pixels = augment(pixels, config["augment"], size=config["size"]) / 255
        with autocast(here):
            logits = learner.network(pixels.to(memory_format=torch.channels_last))
        target = truth * (1 - config["smoothing"]) + config["smoothing"] / 2
        return learner.learn(functional.binary_cross_entropy_with_logits(logits.float(), target))

    steps = config["epoch_films"] // config["batch"]
    return run_epoch(learner, step, config=config, epoch=epoch, steps=steps)


def train(
    config: dict[str, Any],
    *,
    root: Path = SHARED,
    threads: int = 1,
    device: torch.device = CPU,
) -> TrainingRun:
    """Train, or go on with, the network that a config describes; logs figures on `val`."""
    torch.set_num_threads(threads)
    seed_all(config["seed"])
    lists = _lists(config, root, np.random.default_rng(config["seed"]))
    val = [film for film in read_children(root) if film.split == "val"]
    val_pixels = load_pixels_of(val, config, note="val")
    swapped_pixels = swap_shapes_of(val_pixels, val)
    network = build_reader(config.get("architecture", ""), dropout=config["dropout"])
    if isinstance(network, PaediatricNetwork) and (root / "weights" / START).exists():
        network.load_start(root / "weights" / START)
    learner, run = begin(place(network, device), config)
    for epoch in run.epochs(config["epochs"]):
        loss = train_epoch(learner, lists, config=config, epoch=epoch)
        average = learner.ema.network
        figures = _val_figures(infer(average, val_pixels), val)
        swapped = _val_figures(infer(average, swapped_pixels), val)
        run.log(loss=loss, **figures, **{f"swapped_{k}": v for k, v in swapped.items()})
    return run


def swap_shapes_of(pixels: np.ndarray, films: Sequence[Child]) -> np.ndarray:
    """Prepared films [N, S, S] uint8 with the shapes of the two classes swapped; the same shape."""
    stack = torch.from_numpy(np.array(pixels))[:, None].float()
    ill = torch.tensor([film.pneumonia for film in films])
    return swap_shapes(stack, ill)[:, 0].round().clamp(0, 255).byte().numpy()


def _val_figures(logits: np.ndarray, films: Sequence[Child]) -> dict[str, float]:
    truth = np.array([film.pneumonia for film in films])
    losses = np.logaddexp(0, np.where(truth, -logits, logits))
    balanced = (losses[truth].mean() + losses[~truth].mean()) / 2
    right = ((logits >= 0) == truth).mean()
    return {"auc": roc_auc(truth, logits), "log_loss": float(balanced), "accuracy": float(right)}


def load_serving(checkpoint: Path) -> nn.Module:
    """Give the network of an exported version."""
    saved = read_checkpoint(checkpoint)
    network = build_reader(saved.get("architecture", ""))
    network.load_state_dict(saved["state"])
    return PaediatricGraph(network).eval()
