"""Trainings begin, go on, continue one another, and say what they cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ml.training.anomaly_report import stages_of
from ml.training.loop import TrainingRun, begin, learning_rate, run_epoch
from ml.training.members import load_last_part, parts_of

pytestmark = pytest.mark.training

CONFIG = {"name": "first", "rate": 0.1, "weight_decay": 0.0, "ema": 0.5, "epochs": 2, "warmup": 2}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train(config: dict[str, Any], *, cut_off_in: int | None = None) -> TrainingRun:
    """Draw one weight towards 3."""
    torch.manual_seed(0)
    learner, run = begin(nn.Linear(1, 1), config)
    film = torch.ones(1, 1)
    for epoch in run.epochs(config["epochs"]):
        if epoch == cut_off_in:
            break
        run_epoch(
            learner,
            lambda _: learner.learn((learner.network(film) - 3).pow(2).mean()),
            config=config,
            epoch=epoch,
            steps=10,
        )
    return run


def test_an_epoch_follows_the_schedule_and_moves_the_average() -> None:
    learner, _ = begin(nn.Linear(1, 1), CONFIG)
    seen: list[float] = []

    def step(_: int) -> float:
        seen.append(learner.optimizers["optimizer"].param_groups[0]["lr"])
        return 1.0

    assert run_epoch(learner, step, config=CONFIG, epoch=1, steps=5) == 1.0
    expected = [learning_rate(n, total=10, warmup=2, peak=0.1) for n in range(5, 10)]
    assert seen == pytest.approx(expected)
    assert learner.ema.updates == 5


def test_a_cut_off_run_ends_where_a_whole_one_does() -> None:
    whole = train(CONFIG).parts["network"].state_dict()
    cut = {**CONFIG, "name": "second"}
    assert train(cut, cut_off_in=1).epoch == 1
    gone_on = train(cut)
    assert gone_on.epoch == 2
    assert torch.equal(gone_on.parts["network"].state_dict()["weight"], whole["weight"])


def test_a_second_part_starts_from_the_average_of_the_first_and_counts_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = train(CONFIG)
    second = {**CONFIG, "name": "second", "continues": "first", "epochs": 1}
    learner, run = begin(nn.Linear(1, 1), second)
    assert run.epoch == 0
    average = first.parts["ema"].network.state_dict()
    assert torch.equal(learner.network.state_dict()["weight"], average["weight"])
    train(second)
    configs = {"first": CONFIG, "second": second}
    monkeypatch.setattr("ml.training.loop.load_config", configs.__getitem__)
    parts = parts_of({**CONFIG, "ends": "second"})
    assert [part["name"] for part, _ in parts] == ["first", "second"]
    assert load_last_part(nn.Linear(1, 1), {**CONFIG, "ends": "second"})["training_epochs"] == 3
    configs["first"] = {**CONFIG, "kind": "reversed_ae", "warm_epochs": 2, "ends": "second"}
    configs["second"] = {**second, "warm_epochs": 0}
    assert stages_of(configs["first"]) == {"warm_up_epochs": 2, "soft_introspective_epochs": 1}
