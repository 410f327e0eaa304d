"""Trainings are timed by the steps that they are made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ml.training.hours import MAKERS, TIMED, WARM, Work, time_work
from ml.training.hours_table import PLANS

pytestmark = pytest.mark.training


def test_a_step_is_timed_and_its_work_counted() -> None:
    layer, seen = nn.Conv2d(1, 8, 3, padding=1), []

    def step() -> None:
        seen.append(1)
        layer(torch.zeros(4, 1, 64, 64)).sum().backward()

    timed = time_work(Work(64, 4, step, lambda: np.sort(np.arange(2_000_000)[::-1])))
    assert len(seen) == WARM + TIMED + 1  # the last one under the counter
    forward = 2 * 64 * 64 * 8 * 9
    assert timed.gflop == pytest.approx(3 * forward / 1e9, abs=1e-3)
    assert timed.films_a_second > 0
    assert timed.prepared_a_second is not None
    assert timed.memory_mb > 50


def test_every_planned_training_can_be_made() -> None:
    assert {plan.network for plan in PLANS} == set(MAKERS)


@pytest.mark.parametrize("name", ["unet", "gate", "anatomy_fine", "detector", "paediatric_shapes"])
def test_a_training_learns_from_one_batch_of_noise(name: str, tmp_path: Path) -> None:
    network = next(plan.network for plan in PLANS if plan.config == name)
    work = MAKERS[network](name, tmp_path)
    work.step()
    if work.prepare is not None:
        work.prepare()
    assert (work.prepare is None) == (network == "paediatric")
