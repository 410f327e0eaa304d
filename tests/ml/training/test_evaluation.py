"""The command evaluate names what it finds otherwise than it is stored."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ml.bundle import load_bundle
from ml.runtime import load_graph
from ml.training.evaluation import differences
from ml.training.remeasure import AGAIN, GraphNetwork
from tests.ml import tiny

pytestmark = pytest.mark.training

STORED = {"test": {"guangzhou": {"value": 0.83, "low": 0.8, "high": 0.86}}, "gate": 0.5}


def test_equal_figures_differ_in_nothing() -> None:
    assert differences(STORED, STORED) == []


def test_a_figure_that_moved_is_named_with_both_values() -> None:
    moved = {"test": {"guangzhou": {"value": 0.81, "low": 0.8, "high": 0.86}}, "gate": 0.5}
    assert differences(STORED, moved) == ["test · guangzhou · value: stored 0.83, found 0.81"]


def test_a_figure_within_the_tolerance_of_engines_is_the_same() -> None:
    assert differences(STORED, {"gate": 0.5004}) == []


def test_a_figure_that_was_never_stored_is_named() -> None:
    assert differences({}, {"gate": 0.5}) == ["gate: not stored"]


def test_every_network_of_a_release_can_be_measured_again() -> None:
    assert set(AGAIN) == {"gate", "classifier", "detector", "anatomy", "unet", "reversed_ae"}


def test_a_graph_of_one_film_stands_in_for_a_network_of_many(tmp_path: Path) -> None:
    tiny.build_release(tmp_path)
    graph = load_graph(load_bundle(tmp_path, "anatomy", tiny.VERSION))
    films = torch.rand(3, 1, tiny.SIZE, tiny.SIZE)
    together = GraphNetwork(graph)(films)
    alone = [graph.run(film[None].numpy())[0] for film in films]
    assert np.array_equal(together.numpy(), np.concatenate(alone))
