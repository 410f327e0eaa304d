"""Figures of bundles: taken where they stand, none where they do not."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from diagnosis import measures, selectors
from policy import curves


def test_a_missing_figure_is_none() -> None:
    found = {"test": {"specificity": {"value": 0.65}, "films": "many"}}
    assert measures.figure_in(found, "test", "specificity", "value") == 0.65
    assert measures.figure_in(found, "test", "films") is None
    assert measures.figure_in(found, "val", "specificity", "value") is None
    assert measures.figure_in(None, "test") is None


@pytest.mark.django_db
def test_over_calls_are_counted_by_the_films_held_out(tmp_path: Path) -> None:
    figures = {"test": {"specificity": {"value": 0.65}}, "val": {"specificity": {"value": 0.98}}}
    (tmp_path / "metrics.json").write_text(json.dumps(figures))
    release = curves.installed(selectors.current_release())
    others = {name: held for name, held in release.bundles.items() if name != "paediatric"}
    assert measures.child_over_calls(replace(release, bundles=others)) is None
    child = replace(release.bundles["gate"], folder=tmp_path)
    with_child = replace(release, bundles={**others, "paediatric": child})
    assert measures.child_over_calls(with_child) == 35
