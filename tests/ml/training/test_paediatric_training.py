"""The reader of children's films learns what was drawn, goes on, and is exported as served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from ml.imaging.phantom import draw_phantom
from ml.training.loop import load_config
from ml.training.members import keep_checkpoint
from ml.training.metrics import roc_auc
from ml.training.paediatric import (
    PaediatricGraph,
    PaediatricNetwork,
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


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_the_exported_graph_agrees_with_torch(tmp_path, engine):
    torch.manual_seed(1)  # random weights may cancel out: then only their rounding is left
    graph = PaediatricGraph(PaediatricNetwork()).eval()
    assert_engines_agree(graph, tmp_path, size=64, outputs=("logits", "maps"), engine=engine)
