"""Figures are compared between groups of films, and a group that is worse is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.training.anomaly import PlainFilm
from ml.training.anomaly_measure import alarms_by_group, measure_adjudicated
from ml.training.classifier_groups import by_group
from ml.training.data import Film
from ml.training.gate_report import compare_refusals
from ml.training.groups import BY_GROUP, Cases, compare_groups, comparisons_in, groups_of, verdict
from ml.training.groups_table import comparison_lines, summary_lines
from ml.training.metrics import roc_auc
from ml.training.paediatric import Child
from ml.training.paediatric_report import known_of
from ml.vocabulary import CLASSIFIER_LABELS


def sides(count: int = 400) -> Cases:
    """Cases of two films a patient, every other patient of one sex."""
    patients = [k // 2 for k in range(count)]
    return Cases([str(p) for p in patients], [("FM"[p % 2],) for p in patients])


def plain(name: str, known: tuple[str, ...], *, truth: str = "normal") -> PlainFilm:
    return PlainFilm(Path(name), name, name, "test", "nih", truth, known=known)


def test_only_what_is_known_of_a_film_puts_it_into_groups() -> None:
    film = Film(Path("f"), "f", "p", frozenset(), "test", "films", age=40.0, view="AP")
    assert groups_of(film) == ("view AP", "40 to 59 years")
    assert groups_of(Film(Path("f"), "f", "p", frozenset(), "test", "films")) == ()


def test_a_group_with_a_lower_area_is_worse_and_the_other_is_not() -> None:
    cases, rng = sides(), np.random.default_rng(0)
    truth = rng.random(400) < 0.5
    score = rng.normal(size=400) + np.where([own == ("M",) for own in cases.groups], 0, 2) * truth
    found = compare_groups(lambda rows: roc_auc(truth[rows], score[rows]), cases, called="AUC")
    assert set(found) == {"M", "F"}
    compared = {one.group: one for one in comparisons_in({f"AUC{BY_GROUP}": found})}
    assert compared["M"].worse
    assert not compared["F"].worse
    assert compared["M"].rest == pytest.approx(compared["F"].value["value"], abs=1e-3)


def test_the_classifiers_worse_group_is_named() -> None:
    rng = np.random.default_rng(2)
    films = [
        Film(Path("f"), str(k), str(k), frozenset(), "test", "films", sex="FM"[k % 2])
        for k in range(400)
    ]
    truth = (rng.random((400, len(CLASSIFIER_LABELS))) < 0.3).astype(float)
    noise = rng.normal(size=truth.shape)
    men = (np.arange(400) % 2 == 1)[:, None]
    found = by_group(np.where(men, noise, noise + 4 * truth), truth, films)
    compared = comparisons_in({f"AUC{BY_GROUP}": found})
    assert [one.group for one in compared if one.worse] == ["sex M"]


def test_more_false_alarms_are_worse_and_so_is_the_sentence() -> None:
    cases = sides()
    alarmed = np.array([own == ("M",) and k % 5 == 0 for k, own in enumerate(cases.groups)])
    found = compare_groups(
        lambda rows: float(alarmed[rows].mean()),
        cases,
        called="share",
        lower_is_better=True,
        share=True,
    )
    assert found["M"]["share"]["value"] == 0.2
    assert found["F"]["share"]["low"] == 0.0 < found["F"]["share"]["high"]  # exact, not 0 to 0
    said = verdict({f"false alarms{BY_GROUP}": found})
    assert "false alarms, M: 0.200 where the rest have 0.000 (worse by 0.200" in said
    assert "false alarms, F" not in said
    assert "of 2 comparisons" in said


def test_groups_that_do_not_differ_are_said_not_to() -> None:
    right = np.arange(400) // 4 % 4 != 0
    found = compare_groups(lambda rows: float(right[rows].mean()), sides(), called="share")
    said = verdict({"films": 400, f"right{BY_GROUP}": found})
    assert said.startswith("No group was worse by more than chance allows, of 2 comparisons")


def test_a_small_group_is_left_out_and_no_comparison_says_nothing() -> None:
    assert compare_groups(lambda rows: 1.0, sides(60), called="share") == {}
    assert verdict({f"right{BY_GROUP}": {}, "films": 3}) == ""
    assert comparison_lines({"films": 3}) == []
    assert summary_lines({"gate": {"films": 3}}) == []


def test_the_page_marks_the_worse_group_and_counts_the_comparisons() -> None:
    figure = {"value": 0.7, "low": 0.6, "high": 0.8}
    worse = {"value": -0.1, "low": -0.2, "high": -0.01}
    found = {"view AP": {"films": 120, "AUC": figure, "more than the rest": worse}}
    metrics = {f"AUC{BY_GROUP}": found}
    line = comparison_lines(metrics)[-1]
    assert line == (
        "| AUC | view AP | 120 | 0.700 (0.600 to 0.800) | 0.800 | -0.100 (-0.200 to -0.010) | yes |"
    )
    told = summary_lines({"unet": metrics, "gate": {}})
    assert told[0].startswith("1 comparisons")
    assert [text[:7] for text in told[2:]] == ["- unet:"]


def test_alarms_are_counted_on_normal_films_alone() -> None:
    films = [plain(str(k), ("view AP" if k % 2 else "view PA",)) for k in range(240)]
    films += [plain(f"ill {k}", ("view AP",), truth="abnormal") for k in range(240)]
    alarmed = np.array([k % 2 == 1 or film.truth == "abnormal" for k, film in enumerate(films)])
    found = alarms_by_group(films, alarmed)
    assert {name: own["films"] for name, own in found.items()} == {"view AP": 120, "view PA": 120}
    assert verdict({f"alarms{BY_GROUP}": found}).count("view AP") == 1


def test_films_of_several_radiologists_are_measured_by_their_labels() -> None:
    films = [plain(str(k), ()) for k in range(40)]
    labels = {
        str(k): {"Pneumothorax": False, "Airspace opacity": k >= 15, "Nodule or mass": k >= 25}
        for k in range(30)
    }
    found = measure_adjudicated(films, np.arange(40.0), labels)
    assert found["films"] == 30
    assert found["any finding, by radiologists"]["value"] == 1.0
    assert measure_adjudicated(films, np.arange(40.0), {}) == {}


def test_refused_good_films_of_unknown_patients_take_no_part() -> None:
    known = [plain(str(k), ("sex F" if k % 2 else "sex M",)) for k in range(200)]
    refused = {film.path: False for film in known} | {Path("stranger"): True}
    found = compare_refusals(refused, known)
    assert found["sex F"]["films"] == 100
    assert found["sex F"]["share"]["value"] == 0.0


def test_a_child_is_known_by_germ_and_shape() -> None:
    ill = Child(Path("f"), "p", "test", pneumonia=True, kind="virus", aspect="squashed_to_square")
    well = Child(Path("f"), "p", "test", pneumonia=False, kind="normal")
    assert known_of(ill) == ("caused by virus", "shape squashed to square")
    assert known_of(well) == ()
