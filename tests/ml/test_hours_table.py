"""docs/training.md says how long trainings take as the stored figures say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ml.training.hours_table import PLANS, STORED, gpu_films_a_second, hours_lines, show_hours

ROOT = Path(__file__).parents[2]


def test_the_page_on_training_shows_the_stored_hours():
    assert "\n".join(hours_lines()) in (ROOT / "docs" / "training.md").read_text()


def test_every_training_that_is_planned_was_timed_and_has_a_config():
    timed = json.loads(STORED.read_text())["trainings"]
    for plan in PLANS:
        assert timed[plan.config]["films_a_second"] > 0, plan.config
        assert (ROOT / "ml" / "training" / "configs" / f"{plan.config}.toml").is_file()


def test_hours_follow_from_films_and_speed(tmp_path):
    one = {
        "size": 224,
        "films_a_second": 86_524 / 3600,
        "prepared_a_second": None,
        "gflop": 5.0,
        "batch": 32,
        "memory_mb": 2500,
    }
    said = {"processor": "P", "torch": "2", "steps": 4, "trainings": {"classifier": one}}
    (tmp_path / "hours.json").write_text(json.dumps(said))
    lines = hours_lines(tmp_path / "hours.json")
    assert lines[-1] == (
        "| classifier | 224 | 86,524, NIH's official training list | 6 | 24.0 | 2.5 GB | 1.0 h | "
        "6.0 h | 5.00 | 2 min | 11 min |"
    )
    assert any("estimated, not measured" in line for line in lines)
    assert hours_lines(tmp_path / "none.json") == []


@pytest.mark.parametrize(
    ("batch", "prepared", "films"), [(64, None, 1000), (32, None, 800), (64, 10.0, 40)]
)
def test_a_gpu_is_bound_by_its_work_its_steps_or_the_films_prepared_for_it(
    batch: int, prepared: float | None, films: float
):
    timed = {"gflop": 5.0, "batch": batch, "prepared_a_second": prepared}
    assert gpu_films_a_second(timed) == pytest.approx(films)


@pytest.mark.parametrize(("hours", "said"), [(2.04, "2.0 h"), (0.5, "30 min"), (0.001, "< 1 min")])
def test_hours_are_shown_in_minutes_where_they_are_few(hours: float, said: str):
    assert show_hours(hours) == said
