"""The command evaluate names what it finds otherwise than it is stored."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ml.bundle import REQUIRED, load_bundle, sha256_of
from ml.runtime import load_graph
from ml.training.evaluation import differences
from ml.training.papers import Evidence
from ml.training.remeasure import AGAIN, TOLD, GraphNetwork, write_again
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
    assert set(AGAIN) == set(TOLD) == {*REQUIRED, "paediatric"}


def test_measuring_again_writes_a_version_with_the_same_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(AGAIN, "anatomy", lambda bundles, data: {"found": len(bundles)})
    monkeypatch.setitem(
        TOLD, "anatomy", lambda metrics: Evidence("Outlines.", "none", "AGPL-3.0", metrics)
    )
    tiny.build_release(tmp_path)
    home = write_again("anatomy", "2", data=tmp_path, weights=tmp_path)
    old, new = (load_bundle(tmp_path, "anatomy", version) for version in (tiny.VERSION, "2"))
    assert sha256_of(old.graph) == sha256_of(new.graph)
    assert new.spec.settings == old.spec.settings
    assert json.loads((home / "metrics.json").read_text()) == {"found": 7}
    assert "| found | 7 |" in (home / "CARD.md").read_text()


def test_a_graph_of_one_film_stands_in_for_a_network_of_many(tmp_path: Path) -> None:
    tiny.build_release(tmp_path)
    graph = load_graph(load_bundle(tmp_path, "anatomy", tiny.VERSION))
    films = torch.rand(3, 1, tiny.SIZE, tiny.SIZE)
    together = GraphNetwork(graph)(films)
    alone = [graph.run(film[None].numpy())[0] for film in films]
    assert np.array_equal(together.numpy(), np.concatenate(alone))
