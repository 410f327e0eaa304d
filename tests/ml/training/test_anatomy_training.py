"""A small outline learns the lungs and heart of drawn chests."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ml.imaging.phantom import draw_phantom
from ml.training.anatomy import (
    AnatomyNetwork,
    dice_of,
    film_dice,
    outline_films,
    shake_pair,
    train_epoch,
)
from ml.training.loop import Ema, optimiser
from tests.ml.training.engines import assert_engines_agree

pytestmark = pytest.mark.training

SIZE = 64
CONFIG = {
    "seed": 1,
    "size": SIZE,
    "batch": 8,
    "epochs": 4,
    "warmup": 5,
    "rate": 3e-3,
    "bf16": False,
}


def drawn_pairs(seeds: range) -> tuple[np.ndarray, np.ndarray]:
    drawn = [draw_phantom(seed, 80) for seed in seeds]
    films = np.stack([(phantom.film * 255).astype(np.uint8) for phantom in drawn])
    return films, np.stack([phantom.masks for phantom in drawn])


def test_an_outline_learns_lungs_and_heart() -> None:
    torch.manual_seed(0)
    films, masks = drawn_pairs(range(96))
    network = AnatomyNetwork()
    ema = Ema(network, decay=0.5)
    optimizer = optimiser(network, rate=CONFIG["rate"], weight_decay=0.01)
    for epoch in range(CONFIG["epochs"]):
        train_epoch(network, ema, optimizer, films, masks, config=CONFIG, epoch=epoch)
    held = [draw_phantom(seed, SIZE) for seed in range(200, 208)]
    pixels = np.stack([(phantom.film * 255).astype(np.uint8) for phantom in held])
    found = outline_films(network, pixels)
    scores = [film_dice(regions, p.masks) for regions, p in zip(found, held, strict=True)]
    assert np.mean([score["lungs"] for score in scores]) > 0.7


def test_a_mirrored_film_keeps_the_left_lung_on_the_viewers_right() -> None:
    films, masks = drawn_pairs(range(1))
    rng = np.random.default_rng(0)
    for _ in range(20):
        _, mask = shake_pair(films[0], masks[0], out=SIZE, rng=rng)
        left, right = (np.argwhere(mask == index)[:, 1].mean() for index in (1, 2))
        assert right < left


def test_dice_is_one_for_equal_masks_and_nought_for_distinct_ones() -> None:
    mask = np.zeros((10, 10), bool)
    mask[:5] = True
    assert dice_of(mask, mask) == 1
    assert dice_of(mask, ~mask) == 0


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_the_graph_of_an_outline_agrees_with_torch(tmp_path: Path, engine: str) -> None:
    torch.manual_seed(3)
    assert_engines_agree(AnatomyNetwork(), tmp_path, size=SIZE, outputs=("regions",), engine=engine)
