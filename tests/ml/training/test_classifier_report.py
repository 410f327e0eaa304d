"""The classifier is measured and calibrated again from its graph, without torch."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ml.bundle import load_bundle, sha256_of
from ml.imaging.phantom import draw_phantom
from ml.training.classifier_report import evaluate, recalibrate
from ml.vocabulary import CLASSIFIER_LABELS
from tests.ml.tiny import build_release


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Drawn films in the shared layout; bright ones are labelled Edema."""
    monkeypatch.setattr("ml.training.data.CACHE", tmp_path / "cache")
    root = tmp_path / "data"
    (root / "nih" / "films").mkdir(parents=True)
    rows = ["film,patient,labels,age,sex,view,split,rsna"]
    for number in range(48):
        film = draw_phantom(number, 64).film
        if number % 3 == 0:
            film[20:, :] = np.maximum(film[20:, :], 0.7)
        cv2.imwrite(
            str(root / "nih" / "films" / f"{number}.webp"), np.rint(film * 255).astype(np.uint8)
        )
        label = "Edema" if number % 3 == 0 else ""
        rows.append(f"{number},p{number},{label},50,F,PA,{('val', 'test')[number % 2]},")
    (root / "nih" / "films.csv").write_text("\n".join(rows) + "\n")
    boxes = [f"{number},Effusion,0.2,0.3,0.6,0.9" for number in range(0, 48, 3)]
    (root / "nih" / "boxes.csv").write_text("\n".join(["film,label,x0,y0,x1,y1", *boxes]) + "\n")
    for source in ("normals", "lungs_only"):
        (root / "nih" / f"{source}.csv").write_text(rows[0] + "\n")
    return root


def test_a_version_is_measured_with_what_it_carries(data, tmp_path):
    weights = build_release(tmp_path / "weights")
    figures = evaluate("1", data=data, weights=weights)
    assert figures["films"] == {"val": 24, "test": 24}
    area = figures["AUC on test"]["Edema"]
    assert area["low"] <= area["value"] <= area["high"]
    assert "Mass" not in figures["AUC on test"]  # no film has it
    assert set(figures["operating points on test"]) == set(CLASSIFIER_LABELS)
    maps = figures["attention on boxes of test"]
    assert maps["boxed findings"] == 8
    assert 0 <= maps["maps"]["pointing"]["value"] <= 1
    assert maps["weights shuffled"]["all"]["findings"] == 8
    cleared = figures["abnormal"]["cleared at an NPV of 0.97 on val, by mined labels"]
    assert cleared["films"] == 24


def test_calibrating_again_keeps_the_graph_and_moves_the_probabilities(data, tmp_path):
    weights = build_release(tmp_path / "weights")
    home = recalibrate("1", "2", data=data, weights=weights)
    old, new = (load_bundle(weights, "classifier", version) for version in ("1", "2"))
    assert sha256_of(old.graph) == sha256_of(new.graph)
    assert new.spec.calibration["Edema"] != old.spec.calibration["Edema"]
    assert new.spec.labels == old.spec.labels
    assert new.spec.prevalence["Pneumothorax"] == pytest.approx(0.0473, abs=1e-4)
    assert new.spec.settings["fitted_on"] == {"val": 24, "out of fold": 0}
    curve = new.spec.settings["curves"]["Edema"]
    assert curve == sorted(curve)
    assert (curve[0][1], new.spec.settings["curves"]["Mass"]) == (1.0, [])
    assert len(new.spec.settings["reference"]["Edema"]) == 11
    stored = json.loads((home / "metrics.json").read_text())
    assert "calibration error on test" in stored
    card = (home / "CARD.md").read_text()
    assert f"{stored['AUC on test']['Edema']['value']:.3f}" in card
