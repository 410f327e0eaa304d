"""A small detector learns drawn opacities; boxes move with their film; partial truth is kept."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ml.imaging.phantom import draw_phantom
from ml.training.boxes import (
    KINDS,
    OPACITY,
    BoxedFilm,
    Shake,
    known_kinds,
    move_boxes,
    shake_film,
    take_opacity_for,
)
from ml.training.data import Film
from ml.training.detector import LesionNetwork, train_epoch
from ml.training.detector_report import Match, average_precision, best_overlaps, run_network
from ml.training.loop import make_learner
from tests.ml.training.engines import assert_engines_agree

pytestmark = pytest.mark.training

SIZE = 96
CONFIG = {
    "seed": 1,
    "size": SIZE,
    "batch": 16,
    "epochs": 14,
    "warmup": 5,
    "rate": 3e-3,
    "weight_decay": 0.01,
    "ema": 0.5,
    "bf16": False,
    "augment": {"scale": 0.1, "shift": 0.05, "degrees": 2.0, "soften": 0.0},
}
NOBODY = Film(Path("drawn"), "drawn", "nobody", frozenset(), "train", "films")


def drawn_films(seeds: range) -> tuple[list[BoxedFilm], np.ndarray]:
    items, films = [], []
    for seed in seeds:
        phantom = draw_phantom(seed, SIZE, lesions=2)
        kinds = np.full(2, KINDS.index(OPACITY))
        items.append(BoxedFilm(NOBODY, phantom.boxes, kinds, np.ones(len(KINDS), np.float32)))
        films.append((phantom.film * 255).astype(np.uint8))
    return items, np.stack(films)


def test_a_detector_learns_drawn_opacities() -> None:
    torch.manual_seed(0)
    items, pixels = drawn_films(range(96))
    network = LesionNetwork(size=SIZE)
    learner = make_learner(network, CONFIG)
    rng = np.random.default_rng(0)
    losses = [
        train_epoch(learner, items, pixels, rng.permutation(len(items)), config=CONFIG, epoch=epoch)
        for epoch in range(CONFIG["epochs"])
    ]
    # the loss first rises: boxes only weigh in once their scores do
    assert losses[-1] < 0.8 * max(losses)
    held, films = drawn_films(range(300, 316))
    found = best_overlaps(held, run_network(network, films), kinds=(OPACITY,))
    blind = best_overlaps(held, run_network(LesionNetwork(size=SIZE), films), kinds=(OPACITY,))
    gained = np.mean([iou for *_, iou in found]) - np.mean([iou for *_, iou in blind])
    assert gained > 0.03


def test_boxes_of_opacity_can_be_taken_for_a_label() -> None:
    known = np.zeros(len(KINDS), np.float32)
    kinds = np.array([KINDS.index(OPACITY), KINDS.index("Mass")])
    item = BoxedFilm(NOBODY, np.zeros((2, 4), np.float32), kinds, known)
    taken = take_opacity_for(item, "Pneumonia")
    assert [KINDS[kind] for kind in taken.kinds] == ["Pneumonia", "Mass"]
    assert taken.known[KINDS.index("Pneumonia")] == 1
    assert taken.known.sum() == 1
    assert not item.known.any()
    without = BoxedFilm(NOBODY, item.boxes[1:], kinds[1:], known)
    assert take_opacity_for(without, "Pneumonia") is without


def test_boxes_move_with_their_film() -> None:
    pixels = np.zeros((80, 80), np.uint8)
    pixels[20:40, 30:50] = 255
    boxes = np.array([[30 / 80, 20 / 80, 50 / 80, 40 / 80]], np.float32)
    item = BoxedFilm(NOBODY, boxes, np.array([0]), np.ones(len(KINDS), np.float32))
    shake = Shake(degrees=0.0, gamma=0.0, contrast=0.0, soften=0.0)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        film, moved, _ = shake_film(pixels, item, out=80, shake=shake, rng=rng)
        bright = np.argwhere(film > 0.6)
        low, high = bright.min(0) / 80, (bright.max(0) + 1) / 80
        assert moved[0] == pytest.approx([low[1], low[0], high[1], high[0]], abs=0.03)


def test_an_identity_map_leaves_boxes_where_they_are() -> None:
    boxes = np.array([[0.1, 0.2, 0.3, 0.4]], np.float32)
    affine = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    assert move_boxes(boxes, affine, size=64, out=64) == pytest.approx(boxes)


def test_a_label_in_the_report_that_nobody_boxed_is_unknown() -> None:
    film = Film(Path("x"), "x", "1", frozenset({"Mass", "Effusion"}), "train", "films")
    known = dict(zip(KINDS, known_kinds(film, {"Effusion"}), strict=True))
    assert known["Mass"] == 0
    assert known["Effusion"] == 1
    assert known["Nodule"] == 1
    assert known[OPACITY] == 0


def test_average_precision_counts_misses_and_order() -> None:
    right_first = [Match(((0.9, True), (0.2, False)), 1), Match((), 1)]
    wrong_first = [Match(((0.9, False), (0.2, True)), 1), Match((), 1)]
    assert average_precision(right_first) == pytest.approx(0.5)
    assert average_precision(wrong_first) == pytest.approx(0.25)


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_the_graph_of_a_detector_agrees_with_torch(tmp_path: Path, engine: str) -> None:
    torch.manual_seed(3)
    assert_engines_agree(
        LesionNetwork(size=SIZE, exponent=0.6),
        tmp_path,
        size=SIZE,
        outputs=("boxes", "scores"),
        engine=engine,
    )
