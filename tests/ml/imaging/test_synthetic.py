"""Synthetic films look like frontal chest films, belong to nobody and are written as real files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest

from ml.bundle import WEIGHTS, load_bundle
from ml.gate import load_gate
from ml.imaging.decode import decode
from ml.imaging.synthetic import (
    GRAPH,
    GeneratorError,
    Opacity,
    load_generator,
    newest_folder,
    sample_film,
)
from ml.imaging.write import to_dicom, to_png
from ml.runtime import load_graph

ROOT = Path(__file__).resolve().parents[3]


def test_the_same_seed_draws_the_same_film():
    assert np.array_equal(sample_film(3, 128), sample_film(3, 128))
    assert np.abs(sample_film(3, 128) - sample_film(4, 128)).mean() > 0.02


@pytest.mark.parametrize("seed", range(8))
def test_lungs_are_dark_beside_a_bright_spine(seed):
    film = cv2.blur(sample_film(seed, 256), (9, 9))
    middle = film[90:150, 120:136].mean()
    assert film[90:150, 60:100].mean() < middle - 0.1
    assert film[90:150, 160:196].mean() < middle - 0.1
    assert film.min() >= 0
    assert film.max() <= 1


def test_a_film_keeps_its_content_at_any_size():
    small = sample_film(5, 256)
    large = cv2.resize(sample_film(5, (640, 512)), (256, 256), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(small.ravel(), large.ravel())[0, 1] > 0.97


def test_an_opacity_brightens_its_place_only():
    plain = sample_film(6, 300)
    shadow = sample_film(6, 300, Opacity(x=0.3, y=0.5, radius=0.08, strength=0.8))
    difference = cv2.blur(np.abs(shadow - plain), (9, 9))
    assert difference[150, 90] > 0.1
    assert difference[150, 240] < 0.03


def test_no_sample_is_nearer_to_a_training_film_than_those_are_to_each_other():
    metrics = json.loads((newest_folder() / "metrics.json").read_text())
    near = metrics["distances"]
    assert near["no_sample_is_nearer"] is True
    assert near["sample_to_film"]["min"] >= near["film_to_film"]["min"]


def test_the_generator_is_small():
    assert sum(path.stat().st_size for path in newest_folder().iterdir()) < 3_000_000


@pytest.mark.parametrize("seed", range(6))
def test_the_gate_lets_synthetic_films_pass(seed):
    version = sorted(path.name for path in (WEIGHTS / "gate").iterdir())[-1]
    bundle = load_bundle(WEIGHTS, "gate", version)
    entry = load_gate(bundle, load_graph(bundle)).check(sample_film(seed, 512))
    assert entry.refusal is None
    assert entry.corrections == ()


def test_a_changed_generator_is_not_used(tmp_path):
    folder = tmp_path / "changed"
    shutil.copytree(newest_folder(), folder)
    with (folder / GRAPH).open("ab") as file:
        file.write(b"x")
    with pytest.raises(GeneratorError, match=GRAPH):
        load_generator(folder)


def test_a_png_opens_as_the_film_that_was_written():
    film = sample_film(2, 200)
    assert np.abs(decode(to_png(film)).pixels - film).max() < 0.003


def test_a_dicom_opens_as_the_film_that_was_written():
    film = sample_film(2, (300, 250))
    opened = decode(to_dicom(film, name="two", patient_id="S-2"))
    assert np.abs(opened.pixels - film).max() < 0.001
    assert opened.corrections == ()
    assert (opened.header.view, opened.header.bits) == ("PA", 14)
    assert opened.header.patient_id == "S-2"


def test_a_dicom_has_valid_and_lasting_uids(tmp_path):
    path = tmp_path / "film.dcm"
    path.write_bytes(to_dicom(sample_film(2, 64), name="two"))
    dataset = pydicom.dcmread(path)
    again = pydicom.dcmread(path)
    assert dataset.SOPInstanceUID == again.SOPInstanceUID
    assert dataset.SOPInstanceUID.is_valid
    assert dataset["PixelData"].VR == "OW"
    assert len({dataset.SOPInstanceUID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID}) == 3


def test_the_command_writes_films_of_both_kinds(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "ml.imaging.synthetic", "--out", tmp_path / "films", "--count", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    paths = [Path(line) for line in done.stdout.split()]
    assert [path.suffix for path in paths] == [".png", ".dcm"]
    for path in paths:
        assert decode(path.read_bytes()).pixels.std() > 0.1
