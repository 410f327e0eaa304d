"""What the shipped cards claim: each network's interval on the test films lies above chance."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ml.bundle import WEIGHTS, load_release

CHANCE_AUC = 0.5


def metrics_of(member: str) -> dict[str, Any]:
    bundle = load_release(weights=WEIGHTS).bundles[member]
    figures: dict[str, Any] = json.loads((bundle.folder / "metrics.json").read_text())
    return figures


@pytest.mark.parametrize("level", ["hit_0.1", "hit_0.3", "hit_0.5"])
def test_the_detector_hits_more_boxes_than_chance(level: str) -> None:
    figures = metrics_of("detector")
    assert figures["boxed_test"][level]["low"] > figures["chance"][level]


@pytest.mark.parametrize("member", ["unet", "reversed_ae"])
@pytest.mark.parametrize("comparison", ["guangzhou", "opacity_v_normal_448px", "nih_mined_labels"])
def test_anomaly_networks_tell_abnormal_from_normal_films(member: str, comparison: str) -> None:
    assert metrics_of(member)["test"][comparison]["low"] > CHANCE_AUC


def test_the_outline_fits_better_than_a_mean_outline() -> None:
    figures = metrics_of("anatomy")
    for part in ("lungs", "heart"):
        measured = figures["anatomy_test"][f"dice_{part}"]["low"]
        assert measured > figures["mean_outline_dice"][part]


def test_the_ratio_tells_enlarged_hearts() -> None:
    assert metrics_of("anatomy")["nih_test"]["ratio_auc_cardiomegaly"]["low"] > CHANCE_AUC


def test_the_gate_lets_good_films_through_and_refuses_the_others() -> None:
    figures = metrics_of("gate")
    for group, counted in figures["good"].items():
        assert counted["refused"]["value"] <= 0.03, group
    for kind, counted in figures["unfit"].items():
        films = counted["refused"]["films"]
        assert counted["read_as_it_is"] <= 0.1 * films, kind
    assert figures["unfit_refused"]["low"] > 0.97


def test_turned_and_inverted_films_are_righted_or_refused() -> None:
    for how in ("turned", "inverted"):
        counted = metrics_of("gate")["unfit"][how]
        assert counted["corrected"] + sum(counted["codes"].values()) >= 0.97 * 250


def test_the_reader_of_childrens_films_tells_pneumonia_on_numbers_it_has_not_seen() -> None:
    for films in ("test", "test, patient numbers not in train"):
        figures = metrics_of("paediatric")[films]
        assert figures["AUC"]["low"] > 0.9, films
        assert figures["sensitivity"]["low"] > 0.85, films


def test_attention_points_at_boxes_better_than_another_films_map() -> None:
    figures = metrics_of("classifier")["attention on boxes of test"]
    ours, chance = figures["maps"]["pointing"], figures["chance, another film's map"]["pointing"]
    assert ours["low"] > chance["value"]
    shuffled = figures["weights shuffled"]["all"]
    assert abs(shuffled["rank correlation"]) < 0.3
    assert shuffled["pointing"] < shuffled["pointing of the true maps on these"]


def test_the_abnormal_answer_tells_opacity_from_normal_films_of_one_sharpness() -> None:
    figures = metrics_of("classifier")["abnormal"]
    assert figures["RSNA's opacity against normal, 448-px films"]["AUC"]["low"] > 0.85
    assert figures["RSNA's opacity against normal, all through 224 px"]["AUC"]["low"] > 0.85


def test_points_promise_what_holds_at_the_stated_share_of_the_whole_collection() -> None:
    spec = load_release(weights=WEIGHTS).bundles["classifier"].spec
    assert spec.prevalence["Pneumothorax"] == pytest.approx(5_302 / 112_120, abs=1e-4)
    assert "112,120" in spec.settings["prevalence_of"]
    for label, curve in spec.settings["curves"].items():
        sensitivities = [row[1] for row in curve]
        assert sensitivities == sorted(sensitivities, reverse=True), label
