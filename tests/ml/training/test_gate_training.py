"""A small gate learns drawn chests from other drawings, and its graph agrees with torch."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ml.gate import KINDS
from ml.imaging.phantom import draw_phantom
from ml.training.gate import GateNetwork, run_network, train_epoch
from ml.training.gate_films import CROPPED, FRONTAL, crop_heavily, draw_one
from ml.training.loop import make_learner
from tests.ml.training.engines import assert_engines_agree

pytestmark = pytest.mark.training

SIZE = 64
CONFIG = {
    "seed": 1,
    "size": SIZE,
    "batch": 16,
    "steps": 60,
    "epochs": 1,
    "warmup": 5,
    "rate": 2e-3,
    "weight_decay": 0.01,
    "ema": 0.9,
    "bf16": False,
}


def drawn_pictures() -> tuple[list[np.ndarray], np.ndarray]:
    """Ten phantoms, ten phantoms pressed flat (as a side view), ten chequered pictures."""
    rng = np.random.default_rng(0)
    chests = [(draw_phantom(seed, 96).film * 255).astype(np.uint8) for seed in range(10)]
    sides = [np.roll(chest // 2 + 100, 40, 1)[:, ::-1].copy() for chest in chests]
    boards = [
        np.kron(rng.integers(0, 2, (12, 12)) * 255, np.ones((8, 8))).astype(np.uint8)
        for _ in range(10)
    ]
    rows = np.arange(30)
    return [rows[:10], rows[10:20], rows[20:]], np.stack(chests + sides + boards)


def test_a_gate_learns_chests_from_other_pictures() -> None:
    torch.manual_seed(0)
    pools, pixels = drawn_pictures()
    network = GateNetwork()
    learner = make_learner(network, CONFIG)
    first = train_epoch(learner, pools, pixels, config={**CONFIG, "steps": 3}, epoch=0)
    last = train_epoch(learner, pools, pixels, config=CONFIG, epoch=0)
    assert last < 0.85 * first
    rng = np.random.default_rng(5)
    draws = [draw_one(pools, pixels, size=SIZE, rng=rng) for _ in range(80)]
    kinds = run_network(network, np.stack([draw.pixels for draw in draws]))[0]
    truth = np.array([draw.kind for draw in draws])
    commonest = np.bincount(truth).max() / len(truth)
    assert (kinds.argmax(1) == truth).mean() > commonest


def test_draws_hold_every_kind_and_carry_their_truth() -> None:
    pools, pixels = drawn_pictures()
    rng = np.random.default_rng(2)
    draws = [draw_one(pools, pixels, size=SIZE, rng=rng) for _ in range(200)]
    assert {draw.kind for draw in draws} == set(range(len(KINDS)))
    assert {draw.turn for draw in draws if draw.judged} == {0, 1, 2, 3}
    assert all(draw.judged for draw in draws if draw.kind in (FRONTAL, CROPPED))


def test_a_heavy_crop_leaves_about_half_of_the_film_at_most() -> None:
    rng = np.random.default_rng(3)
    film = np.zeros((200, 200), np.uint8)
    shares = [crop_heavily(film, rng).size / film.size for _ in range(200)]
    assert max(shares) <= 0.53


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_the_graph_of_a_gate_agrees_with_torch(tmp_path: Path, engine: str) -> None:
    torch.manual_seed(3)
    assert_engines_agree(
        GateNetwork(), tmp_path, size=SIZE, outputs=("kinds", "turns", "inverted"), engine=engine
    )
