"""Small anomaly networks learn drawn chests, and find those with opacities more unusual."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ml.anomaly import read_percentile
from ml.imaging.phantom import draw_phantom
from ml.training.anomaly import build, optimisers_of, train_epoch
from ml.training.anomaly_report import fit_graph, measure_distances, sum_up
from ml.training.anomaly_score import fit_percentiles
from ml.training.loop import make_learner
from ml.training.metrics import roc_auc
from tests.ml.training.engines import assert_engines_agree

pytestmark = pytest.mark.training

SIZE = 48
UNET = {"kind": "unet", "widths": [6, 12, 16]}
REVERSED = {"kind": "reversed_ae", "widths": [8, 16, 16, 16], "code": 16, "warm_epochs": 3}
COMMON = {
    "seed": 1,
    "size": SIZE,
    "batch": 16,
    "films": 160,
    "epochs": 4,
    "warmup": 3,
    "rate": 3e-3,
    "ema": 0.5,
    "bf16": False,
}


def drawn_films(seeds: range, *, lesions: int = 0) -> np.ndarray:
    films = [draw_phantom(seed, SIZE, lesions=lesions).film for seed in seeds]
    return np.stack([(film * 255).astype(np.uint8) for film in films])


def trained(config: dict[str, object]) -> tuple[torch.nn.Module, list[float]]:
    torch.manual_seed(0)
    whole = {**COMMON, **config}
    network = build(whole)
    learner = make_learner(network, whole, optimizers=optimisers_of(network, whole["rate"]))
    films = drawn_films(range(160))
    errors = [
        train_epoch(learner, films, config=whole, epoch=epoch) for epoch in range(whole["epochs"])
    ]
    return network, errors


@pytest.mark.parametrize("config", [UNET, REVERSED], ids=["unet", "reversed_ae"])
def test_the_error_falls_and_opacities_are_more_unusual(config: dict[str, object]) -> None:
    network, errors = trained(config)
    assert errors[-1] < 0.6 * errors[0]
    found, seen = sum_up(network.eval(), drawn_films(range(160)))
    graph = fit_graph(network, ("grid", "global"), [found], seen)
    normal = measure_distances(graph, drawn_films(range(500, 540)))
    opaque = measure_distances(graph, drawn_films(range(500, 540), lesions=3))
    truth = np.repeat([False, True], 40)
    assert roc_auc(truth, np.concatenate([normal, opaque])) > 0.75


def test_the_median_normal_film_reads_as_fifty_percent() -> None:
    distances = np.random.default_rng(0).gamma(2.0, 1.0, 400)
    table = fit_percentiles(distances)
    assert read_percentile(float(np.median(distances)), table) == pytest.approx(50, abs=2)


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
@pytest.mark.parametrize("config", [UNET, REVERSED], ids=["unet", "reversed_ae"])
def test_the_graph_of_an_anomaly_network_agrees_with_torch(
    tmp_path: Path, config: dict[str, object], engine: str
) -> None:
    torch.manual_seed(2)
    network = build({**COMMON, **config}).eval()
    found, seen = sum_up(network, drawn_films(range(100)))
    wider = {part: 1.1 * value for part, value in found.items()}
    graph = fit_graph(network, ("grid", "global"), [found, wider], seen)
    assert_engines_agree(
        graph, tmp_path, size=SIZE, outputs=("distance", "error"), engine=engine, tolerance=0.02
    )
