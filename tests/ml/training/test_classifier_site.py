"""A site's own labelled films move what they can tell of, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ml.bundle import load_bundle, sha256_of
from ml.imaging.phantom import draw_phantom
from ml.training.classifier_site import calibrate_on_site
from ml.training.data import LayoutError
from tests.ml.tiny import build_release


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of films with a CSV; every third, a bright one, has an edema."""
    monkeypatch.setattr("ml.training.data.CACHE", tmp_path / "cache")
    root = tmp_path / "site"
    root.mkdir()
    rows = ["file,labels,patient"]
    for number in range(60):
        film = draw_phantom(number, 64).film
        if number % 3 == 0:
            film[20:, :] = np.maximum(film[20:, :], 0.7)
        cv2.imwrite(str(root / f"{number}.png"), np.rint(film * 255).astype(np.uint8))
        rows.append(f"{number}.png,{'Edema' if number % 3 == 0 else ''},p{number}")
    (root / "films.csv").write_text("\n".join(rows) + "\n")
    return root


def test_findings_with_enough_films_are_fitted_and_the_others_stay(site, tmp_path):
    weights = build_release(tmp_path / "weights")
    home = calibrate_on_site("1", "2", data=site, weights=weights)
    old, new = (load_bundle(weights, "classifier", version) for version in ("1", "2"))
    assert sha256_of(old.graph) == sha256_of(new.graph)
    assert new.spec.calibration["Edema"] != old.spec.calibration["Edema"]
    assert new.spec.calibration["Mass"] == old.spec.calibration["Mass"]
    assert new.spec.operating_points["Mass"] == old.spec.operating_points["Mass"]
    assert new.spec.prevalence["Edema"] == pytest.approx(20 / 60, abs=1e-4)
    assert new.spec.prevalence["Mass"] == old.spec.prevalence["Mass"]
    figures = json.loads((home / "metrics.json").read_text())["fitted to a site's own films"]
    assert figures["films"] == 60
    found = figures["across two halves of the patients"]
    assert set(found) == {"Edema", "abnormal"}
    assert found["Edema"]["films with it"] == 20
    assert 0 <= found["Edema"]["calibration error"] <= 1


def test_a_folder_with_too_few_films_is_refused_with_words(site, tmp_path):
    weights = build_release(tmp_path / "weights")
    rows = (site / "films.csv").read_text().splitlines()
    (site / "films.csv").write_text("\n".join(rows[:12]) + "\n")
    with pytest.raises(LayoutError, match="no finding stands on 10 films"):
        calibrate_on_site("1", "2", data=site, weights=weights)
