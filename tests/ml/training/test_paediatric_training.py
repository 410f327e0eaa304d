"""The reader of children's films learns what was drawn, goes on, and is exported as served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from ml.imaging.phantom import draw_phantom
from ml.training.child_changes import (
    ASPECT_OF_ILL,
    bend_greys,
    change_films,
    stretch_films,
    swap_shapes,
)
from ml.training.child_networks import PaediatricGraph, build_reader
from ml.training.loop import load_config
from ml.training.members import keep_checkpoint
from ml.training.metrics import roc_auc
from ml.training.paediatric import (
    infer,
    load_pixels_of,
    load_serving,
    read_children,
    train,
)
from tests.ml.training.engines import assert_engines_agree

pytestmark = pytest.mark.training


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Drawn chests in the published layout; those with pneumonia have a bright field."""
    root = tmp_path / "chest_xray"
    for number in range(130):
        ill = number % 2 == 1
        film = draw_phantom(number, 64).film
        if ill:
            film[20:44, 8:30] = 0.9
        kind = "PNEUMONIA" if ill else "NORMAL"
        name = f"person{number}_virus_1" if ill else f"IM-{number:04d}-0001"
        folder = root / ("test" if number >= 100 else "train") / kind
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{name}.jpeg"), np.rint(film * 255).astype(np.uint8))
    return root


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ml.training.data.CACHE", tmp_path / "cache")
    config = load_config("paediatric")
    mild = dict.fromkeys(config["augment"], 0.0) | {"rotate_deg": 5.0, "shift": 0.03}
    return config | {
        "size": 64, "epoch_films": 320, "epochs": 4, "batch": 16, "rate": 2e-3, "warmup": 5,
        "ema": 0.9, "dropout": 0.0, "augment": mild,
    }  # fmt: skip


def test_a_short_run_learns_what_was_drawn_and_goes_on_where_it_was(data, config):
    run = train(config | {"epochs": 1}, root=data)
    assert run.epoch == 1
    run = train(config, root=data)
    assert run.epoch == 4
    network = run.parts["ema"].network
    films = [film for film in read_children(data) if film.split == "test"]
    logits = infer(network, load_pixels_of(films, config, note="test"))
    assert roc_auc(np.array([film.pneumonia for film in films]), logits) > 0.9
    path = keep_checkpoint("paediatric", "1", {"state": network.state_dict()})
    assert isinstance(load_serving(path), PaediatricGraph)


@pytest.mark.parametrize("architecture", ["mobilenetv2", "xception"])
@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_the_exported_graph_agrees_with_torch(tmp_path, engine, architecture):
    torch.manual_seed(1)  # random weights may cancel out: then only their rounding is left
    graph = PaediatricGraph(build_reader(architecture)).eval()
    assert_engines_agree(graph, tmp_path, size=64, outputs=("logits", "maps"), engine=engine)


def widths_of(films):
    """How many columns of each film show something."""
    return (films[:, 0].amax(1) > 0.5).sum(1)


def test_swapping_shapes_makes_normal_chests_narrower_and_ill_ones_wider():
    films = torch.zeros(2, 1, 100, 100)
    films[:, :, 20:80, 30:70] = 1.0  # 40 columns
    narrow, wide = widths_of(swap_shapes(films, torch.tensor([False, True])))
    assert int(narrow) == pytest.approx(40 / ASPECT_OF_ILL, abs=1)
    assert int(wide) == pytest.approx(40 * ASPECT_OF_ILL, abs=1)
    assert torch.equal(stretch_films(films, torch.ones(2)).round(), films)


def test_bent_greys_keep_their_order_and_their_ends():
    torch.manual_seed(0)
    ramp = torch.linspace(0, 255, 64).view(1, 1, 8, 8).repeat(5, 1, 1, 1)
    bent = bend_greys(ramp, spread=0.8).flatten(1)
    assert bool((bent.diff() > 0).all())
    assert float(bent[:, 0].abs().max()) < 1e-3
    assert float((bent[:, -1] - 255).abs().max()) < 1e-2
    assert float((bent - ramp.flatten(1)).abs().max()) > 10


def test_borders_are_hidden_on_the_share_of_films_that_was_asked_for():
    torch.manual_seed(0)
    films = torch.full((200, 1, 50, 50), 200.0)
    still = {"bend": 0.0, "stretch": 0.0}
    kept = change_films(films, {**still, "borders": 0.0})
    assert torch.allclose(kept, films, atol=0.01)
    hidden = change_films(films, {**still, "borders": 0.5}).amin((1, 2, 3)) < 100
    assert 0.3 < float(hidden.float().mean()) < 0.6
    assert float(change_films(films, {**still, "borders": 1.0})[:, :, 10:40, 10:40].min()) > 199
