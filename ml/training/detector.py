"""Trains the lesion detector: YOLOv5n on boxed films, from COCO weights.

The network is ultralytics' `yolov5n.yaml` (anchor-free head) with its own detection loss; the loop
is ours, because boxes here are partial truth: a kind that is unknown on a film takes no loss there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from ml.training import torchvision_shim
from ml.training.boxes import (
    KINDS,
    BoxedFilm,
    Shake,
    draw_epoch,
    read_boxed_films,
    shake_film,
    take_opacity_for,
)
from ml.training.data import SHARED, cache_prepared
from ml.training.device import CPU, autocast, home_of, place, send
from ml.training.loop import Learner, TrainingRun, begin, run_epoch, seed_all
from ml.training.members import read_checkpoint

START = "yolov5n.coco.fp16.safetensors"
# ultralytics' defaults, but for `cls`: here the kind is harder to learn than the box
GAINS = {"box": 7.5, "cls": 1.5, "dfl": 1.5}


class LesionNetwork(nn.Module):
    """YOLOv5n that takes grey films and gives boxes in fractions of the film.

    size: side of the square input; exponent: applied to the scores, which keeps their order (a
    value under 1 lifts rare labels above the floor under which candidates are dropped)
    """

    def __init__(self, *, kinds: int = len(KINDS), size: int = 384, exponent: float = 1.0) -> None:
        super().__init__()
        torchvision_shim.install()
        from ultralytics.nn.tasks import DetectionModel  # needs torchvision's operators declared

        self.detection = DetectionModel("yolov5n.yaml", nc=kinds, verbose=False)
        self.detection.args = SimpleNamespace(**GAINS)
        self.size = size
        self.exponent = exponent

    def raw(self, film: torch.Tensor) -> dict[str, Any]:
        """Give what the loss needs: boxes [B, 64, A], scores [B, 9, A] (logits), feats."""
        output = self.detection(film.expand(-1, 3, -1, -1))
        result = output if isinstance(output, dict) else output[1]
        return {k: v.float() if torch.is_tensor(v) else v for k, v in result.items()}

    def forward(self, film: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Give candidates; for evaluation mode.

        film: [B, 1, S, S] in 0..1
        returns: boxes [B, A, 4] x0, y0, x1, y1 in fractions; scores [B, A, 9] in 0..1
        """
        decoded = self.detection(film.expand(-1, 3, -1, -1))[0].transpose(1, 2)  # [B, A, 4 + 9]
        centre, side = decoded[..., :2] / self.size, decoded[..., 2:4] / self.size
        boxes = torch.cat([centre - side / 2, centre + side / 2], -1)
        return boxes, decoded[..., 4:].clamp(min=1e-7) ** self.exponent


def load_start(network: LesionNetwork, path: Path) -> int:
    """Load the COCO backbone and neck; returns how many tensors fitted."""
    own = network.detection.state_dict()
    fitting = {
        key: value.to(own[key].dtype)
        for key, value in load_file(path).items()
        if key in own and own[key].shape == value.shape
    }
    network.detection.load_state_dict(fitting, strict=False)
    return len(fitting)


def collate(
    items: Sequence[BoxedFilm],
    pixels: np.ndarray,
    *,
    shake: Shake,
    size: int,
    rng: np.random.Generator,
) -> tuple[torch.Tensor, dict[str, torch.Tensor], torch.Tensor]:
    """Make one batch.

    pixels: [B, S, S] uint8
    returns: films [B, 1, size, size], ultralytics' batch of targets, known [B, 1, 9]
    """
    films, owners, kinds, centred = [], [], [], []
    for index, item in enumerate(items):
        film, boxes, named = shake_film(pixels[index], item, out=size, shake=shake, rng=rng)
        films.append(film)
        owners.append(np.full(len(boxes), index))
        kinds.append(named)
        low, high = boxes[:, :2], boxes[:, 2:]
        centred.append(np.concatenate([(low + high) / 2, high - low], 1))
    batch = {
        "batch_idx": torch.from_numpy(np.concatenate(owners)).float(),
        "cls": torch.from_numpy(np.concatenate(kinds)).float().view(-1, 1),
        "bboxes": torch.from_numpy(np.concatenate(centred)).float(),
    }
    known = torch.from_numpy(np.stack([item.known for item in items]))
    stacked = torch.from_numpy(np.stack(films)).unsqueeze(1)
    return stacked.contiguous(memory_format=torch.channels_last), batch, known.unsqueeze(1)


def train_epoch(
    learner: Learner,
    films: Sequence[BoxedFilm],
    pixels: np.ndarray,
    order: np.ndarray,
    *,
    config: dict[str, Any],
    epoch: int,
) -> float:
    """Run one epoch; returns the mean loss per film."""
    from ultralytics.utils.loss import v8DetectionLoss

    network = learner.network
    assert isinstance(network, LesionNetwork)
    here = home_of(network)
    criterion = v8DetectionLoss(network.detection)
    shake = Shake(**config.get("augment", {}))
    rng = np.random.default_rng((config["seed"], epoch, 1))
    count, size = config["batch"], config["size"]

    def step(number: int) -> float:
        rows = np.sort(order[number * count : (number + 1) * count])
        drawn = [films[row] for row in rows]
        batch, targets, known = collate(drawn, pixels[rows], shake=shake, size=size, rng=rng)
        with autocast(here, enabled=config.get("bf16", True)):
            output = network.raw(send(batch, here))
        criterion.class_weights = send(
            known, here
        )  # [B, 1, 9], multiplied onto the loss of every anchor
        return learner.learn(criterion(output, targets)[0].sum() / count, limit=10.0)

    return run_epoch(learner, step, config=config, epoch=epoch, steps=len(order) // count)


def prepare_films(films: Sequence[BoxedFilm], *, size: int, number: int, note: str) -> np.ndarray:
    """Prepared films [N, size, size] uint8."""
    return cache_prepared([f.film.path for f in films], size=size, number=number, note=note)


def train(
    config: dict[str, Any],
    *,
    root: Path = SHARED,
    threads: int = 1,
    device: torch.device = CPU,
) -> TrainingRun:
    """Train, or go on with, the detector that a config describes; logs `val` figures."""
    from ml.training.detector_report import hit_rates, run_network

    torch.set_num_threads(threads)
    seed_all(config["seed"])
    train_films = read_boxed_films(root, split="train")
    if "opacity_as" in config:
        train_films = [take_opacity_for(item, config["opacity_as"]) for item in train_films]
    val_films = [item for item in read_boxed_films(root, split="val") if len(item.boxes)]
    number = config["preprocessing"]
    pixels = prepare_films(train_films, size=config["stored"], number=number, note="boxed")
    val_pixels = prepare_films(val_films, size=config["size"], number=number, note="boxed-val")
    network = LesionNetwork(size=config["size"])
    start = root / "weights" / START
    print(f"{len(train_films)} films, {load_start(network, start)} tensors from {start.name}")
    learner, run = begin(place(network, device), config)
    for epoch in run.epochs(config["epochs"]):
        rng = np.random.default_rng((config["seed"], epoch))
        order = draw_epoch(train_films, free=config["free"], normals=config["normals"], rng=rng)
        loss = train_epoch(learner, train_films, pixels, order, config=config, epoch=epoch)
        figures = {"loss": loss}
        if epoch % 2 or epoch == config["epochs"] - 1:
            outputs = run_network(learner.ema.network, val_pixels)
            figures |= hit_rates(val_films, outputs)
        run.log(**figures)
    return run


def load_serving(checkpoint: Path) -> nn.Module:
    """Give the network of an exported version."""
    saved = read_checkpoint(checkpoint)
    network = LesionNetwork(size=saved["size"], exponent=saved["exponent"])
    network.load_state_dict(saved["state"])
    return network.eval()
