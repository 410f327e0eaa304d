"""The table of goals says of every figure whether it was reached, and how surely."""

import json

import pytest

from ml.bundle import WEIGHTS, load_release
from ml.training.goals import GOALS, Goal, goal_lines, goal_table, show, stored_figures, verdict
from ml.training.groups import verdict as verdict_of_groups

AREA = Goal("classifier", "AUC", ("AUC",), at_least=0.8)
REFUSED = Goal("gate", "refused", ("refused",), at_most=0.01)


@pytest.mark.parametrize(
    ("low", "value", "said"),
    [(0.81, 0.85, "yes"), (0.78, 0.82, "yes, the interval reaches beyond"), (0.7, 0.79, "no")],
)
def test_a_goal_is_reached_surely_or_by_the_figure_alone(low: float, value: float, said: str):
    assert verdict(AREA, {"value": value, "low": low, "high": 0.9}) == said


def test_a_limit_is_kept_only_where_the_figure_is_under_it():
    assert verdict(REFUSED, {"value": 0.0, "low": 0.0, "high": 0.005}) == "yes"
    assert verdict(REFUSED, {"value": 0.02, "low": 0.0, "high": 0.05}) == "no"


def test_a_figure_that_is_not_there_is_not_measured():
    assert show(AREA.find({})) == "not measured"
    assert verdict(AREA, None) == "–"


def test_only_networks_with_figures_have_lines():
    lines = goal_lines({"gate": {"unfit_refused": {"value": 0.99, "low": 0.98, "high": 1.0}}})
    assert all(line.startswith(("| network", "|---", "| gate")) for line in lines)
    assert any("0.990 (0.980–1.000)" in line for line in lines)


def test_every_goal_of_the_shipped_networks_finds_its_figure():
    release = load_release(weights=WEIGHTS)
    missing = [
        f"{goal.network}: {goal.figure}"
        for goal in GOALS
        if goal.network in release.bundles
        and goal.find(stored_figures(release.bundles[goal.network])) is None
    ]
    assert not missing
    assert len(goal_table(release)) > 20


def test_cards_show_the_figures_that_are_stored():
    for bundle in load_release(weights=WEIGHTS).bundles.values():
        card = (bundle.folder / "CARD.md").read_text()
        stored = json.loads((bundle.folder / "metrics.json").read_text())
        for value in intervals_in(stored):
            assert f"{value['value']:.3f} ({value['low']:.3f}–{value['high']:.3f})" in card


def test_cards_since_groups_are_compared_say_which_are_worse():
    compared = {}
    for spec in WEIGHTS.glob("*/*/spec.json"):
        if spec.parent.name < "2026.11.22":  # kept for going back
            continue
        said = verdict_of_groups(json.loads((spec.parent / "metrics.json").read_text()))
        assert said, spec
        assert said in (spec.parent / "CARD.md").read_text(), spec
        compared[spec.parent.parent.name] = said
    assert {"anatomy", "gate", "unet", "reversed_ae", "paediatric"} <= set(compared)


def intervals_in(figures: dict) -> list[dict]:
    found = []
    for value in figures.values():
        if isinstance(value, dict):
            whole = {"value", "low", "high"} <= set(value)
            found += [value] if whole else intervals_in(value)
    return found
