"""The quality gate: the current release on a fixed sample of the shared films, end to end.

The sample is small so that it runs with every change; bounds lie well below the figures of
docs/models.md, so that they fail for a break and not for the luck of a sample.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ml.bundle import WEIGHTS
from ml.imaging.decode import decode
from ml.read import Reader, Reading, load_reader
from ml.training.metrics import roc_auc

pytestmark = [pytest.mark.realdata, pytest.mark.timeout(300)]

COMMON = ("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Pneumothorax", "Edema")
SAMPLE = 150


@dataclass(frozen=True)
class ReadFilm:
    labels: frozenset[str]
    reading: Reading


@pytest.fixture(scope="module")
def reader() -> Reader:
    return load_reader(weights=WEIGHTS)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def read_file(reader: Reader, path: Path) -> Reading:
    return reader.read(decode(path.read_bytes()))


@pytest.fixture(scope="module")
def films(reader: Reader, shared_data: Path) -> list[ReadFilm]:
    rows = [row for row in rows_of(shared_data / "nih" / "films.csv") if row["split"] == "test"]
    chosen = rows[:: max(1, len(rows) // SAMPLE)][:SAMPLE]
    return [
        ReadFilm(
            frozenset(filter(None, row["labels"].split("|"))),
            read_file(reader, shared_data / "nih" / "films" / f"{row['film']}.webp"),
        )
        for row in chosen
    ]


def test_nearly_every_chest_film_is_read(films):
    refused = [film.reading.reason for film in films if film.reading.status == "refused"]
    assert len(refused) <= 0.04 * len(films), refused


def test_common_findings_are_told_from_their_absence(films):
    read = [film for film in films if film.reading.findings is not None]
    areas = []
    for name in COMMON:
        truth = np.array([name in film.labels for film in read])
        score = np.array([film.reading.findings[name] for film in read])
        assert truth.sum() >= 5
        areas.append(roc_auc(truth, score))
    assert np.mean(areas) > 0.70, dict(zip(COMMON, areas, strict=True))


def test_abnormal_films_are_told_from_films_without_a_finding(films):
    read = [film for film in films if film.reading.abnormal is not None]
    truth = np.array([bool(film.labels) for film in read])
    assert roc_auc(truth, np.array([film.reading.abnormal for film in read])) > 0.68


def test_probabilities_are_near_the_share_of_films_with_the_finding(films):
    read = [film for film in films if film.reading.findings is not None]
    for name in COMMON:
        share = np.mean([name in film.labels for film in read])
        mean = np.mean([film.reading.findings[name] for film in read])
        assert abs(share - mean) < 0.12, name


def test_hearts_called_large_are_wider(films):
    ratios: dict[bool, list[float]] = {True: [], False: []}
    for film in films:
        ratio = (film.reading.anatomy or {}).get("cardiothoracic_ratio")
        if ratio is not None:
            ratios["Cardiomegaly" in film.labels].append(ratio)
    assert np.median(ratios[True]) > np.median(ratios[False]) + 0.02
    assert 0.3 < np.median(ratios[False]) < 0.6


def test_pictures_that_are_no_chest_film_are_refused(reader, shared_data):
    rows = [row for row in rows_of(shared_data / "gate" / "images.csv") if row["split"] == "test"]
    chosen = [row for row in rows if row["kind"] != "chest_lateral"][::4]
    passed = [
        row["file"]
        for row in chosen
        if read_file(reader, shared_data / "gate" / row["file"]).status == "read"
    ]
    assert len(passed) <= 0.1 * len(chosen), passed
