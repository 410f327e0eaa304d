"""A small outline learns the lungs and heart of drawn chests."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ml.imaging.phantom import draw_phantom
from ml.training.anatomy import (
    AnatomyNetwork,
    Shake,
    dice_of,
    film_dice,
    near_edges,
    outline_films,
    overlap_loss,
    shake_pair,
    train_epoch,
)
from ml.training.loop import make_learner
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
    "weight_decay": 0.01,
    "ema": 0.5,
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
    learner = make_learner(network, CONFIG)
    for epoch in range(CONFIG["epochs"]):
        train_epoch(learner, films, masks, config=CONFIG, epoch=epoch)
    held = [draw_phantom(seed, SIZE) for seed in range(200, 208)]
    pixels = np.stack([(phantom.film * 255).astype(np.uint8) for phantom in held])
    found = outline_films(network, pixels)
    scores = [film_dice(regions, p.masks) for regions, p in zip(found, held, strict=True)]
    assert np.mean([score["lungs"] for score in scores]) > 0.7


def test_a_mirrored_film_keeps_the_left_lung_on_the_viewers_right() -> None:
    films, masks = drawn_pairs(range(1))
    rng = np.random.default_rng(0)
    for _ in range(20):
        _, mask = shake_pair(films[0], masks[0], out=SIZE, shake=Shake(), rng=rng)
        left, right = (np.argwhere(mask == index)[:, 1].mean() for index in (1, 2))
        assert right < left


def test_dice_is_one_for_equal_masks_and_nought_for_distinct_ones() -> None:
    mask = np.zeros((10, 10), bool)
    mask[:5] = True
    assert dice_of(mask, mask) == 1
    assert dice_of(mask, ~mask) == 0


def test_pixels_near_an_edge_weigh_more_where_that_is_asked_for() -> None:
    mask = torch.zeros(1, 16, 16, dtype=torch.int64)
    mask[:, :, 8:] = 1
    near = near_edges(torch.nn.functional.one_hot(mask, 4).permute(0, 3, 1, 2)[:, 1:].float())
    assert near[0, 0].nonzero()[:, 0].tolist() == [6, 7, 8, 9]
    sure = 4 * torch.nn.functional.one_hot(mask, 4).permute(0, 3, 1, 2).float()
    wrong_far, wrong_near = sure.clone(), sure.clone()
    wrong_far[..., 0], wrong_near[..., 7] = sure[..., 15], sure[..., 15]
    plain = [float(overlap_loss(logits, mask)) for logits in (wrong_far, wrong_near)]
    assert plain[0] == pytest.approx(plain[1])
    far, close = (overlap_loss(logits, mask, edge_weight=2) for logits in (wrong_far, wrong_near))
    assert far < close


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_the_graph_of_an_outline_agrees_with_torch(tmp_path: Path, engine: str) -> None:
    torch.manual_seed(3)
    assert_engines_agree(AnatomyNetwork(), tmp_path, size=SIZE, outputs=("regions",), engine=engine)
