"""The release in use still says of generated films what it said when it was made."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ml.bundle import WEIGHTS
from ml.read import Reader, load_reader
from tests.ml import golden

KEPT = json.loads(golden.FILE.read_text(encoding="utf-8"))
# Other processors round otherwise: what a reader of the page would see stays the same.
TOLERANCE = {"score": 0.02, "box": 0.01}
PROBABILITY = 0.01


@pytest.fixture(scope="module")
def reader() -> Reader:
    return load_reader(weights=WEIGHTS)


@pytest.fixture(scope="module")
def now(reader: Reader) -> dict[str, Any]:
    return golden.read_all(reader)


def test_the_golden_outputs_are_those_of_the_release_in_use(reader: Reader) -> None:
    again = "look at what changed and write them anew: python -m tests.ml.golden"
    assert KEPT["release"] == reader.release.name, again


@pytest.mark.parametrize("film", golden.FILMS)
def test_every_probability_is_what_it_was(now: dict[str, Any], film: str) -> None:
    was, is_now = KEPT["films"][film], now[film]
    assert is_now["status"] == was["status"] == "read"
    assert is_now["findings"] == pytest.approx(was["findings"], abs=PROBABILITY)
    assert is_now["abnormal"] == pytest.approx(was["abnormal"], abs=PROBABILITY)
    assert is_now["anatomy"] == pytest.approx(was["anatomy"], abs=PROBABILITY)
    assert is_now["top3"][0]["disease"] == was["top3"][0]["disease"]


@pytest.mark.parametrize("film", golden.FILMS)
def test_every_box_is_where_it_was(now: dict[str, Any], film: str) -> None:
    was, is_now = KEPT["films"][film]["lesions"], now[film]["lesions"]
    best = [box for box in was if box["shown"] or box["score"] > 2 * TOLERANCE["score"]]
    for box in best:
        alike = [other for other in is_now if other["label"] == box["label"]]
        nearest = min(alike, key=lambda other, box=box: _apart(other["box"], box["box"]))
        assert _apart(nearest["box"], box["box"]) < TOLERANCE["box"]
        assert nearest["score"] == pytest.approx(box["score"], abs=TOLERANCE["score"])
        assert nearest["shown"] == box["shown"]


@pytest.mark.parametrize("film", golden.FILMS)
def test_anomaly_scores_are_what_they_were(now: dict[str, Any], film: str) -> None:
    for network, kept in KEPT["films"][film]["anomaly"].items():
        assert now[film]["anomaly"][network]["score"] == pytest.approx(kept["score"], rel=0.02)


def _apart(one: list[float], other: list[float]) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))
