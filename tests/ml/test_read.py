"""A film is read stage by stage; what comes out is stable, complete and of the film's shape."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.bundle import REQUIRED
from ml.imaging.decode import Radiograph, decode
from ml.imaging.phantom import draw_phantom
from ml.imaging.render import encode_png
from ml.read import CHILD_STAGE, STAGES, Reader, load_reader
from ml.vocabulary import NAMES
from tests.ml.tiny import build_release, write_release


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_release(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def reader(weights: Path) -> Reader:
    return load_reader(weights=weights)


def radiograph(pixels: np.ndarray) -> Radiograph:
    return decode(encode_png(np.rint(pixels * 255).astype(np.uint8)))


@pytest.fixture(scope="module")
def film() -> Radiograph:
    return radiograph(draw_phantom(3, 512, lesions=2).film[:, :400])


SMALL = ("thumb", "attention_each")


def test_the_stages_are_announced_in_order(reader, film):
    heard: list[str] = []
    reader.read(film, on_stage=heard.append)
    assert tuple(heard) == STAGES


def test_a_reading_is_what_it_always_was(reader, film):
    said = reader.read(film).to_json()
    assert said["status"] == "read"
    assert said["reason"] is None
    assert [top["disease"] for top in said["top3"]] == ["Edema", "Mass", "Emphysema"]
    golden = {"Edema": 0.974823, "Fibrosis": 0.006898}
    for name, probability in golden.items():
        assert said["findings"][name] == pytest.approx(probability, abs=2e-4)
    assert said["abnormal"] == pytest.approx(0.448142, abs=2e-4)
    assert said["anomaly"]["unet"]["score"] == pytest.approx(47.018666, abs=0.05)
    assert said["anatomy"]["lung_fraction"] == 0.332031
    assert said["anatomy"]["cardiothoracic_ratio"] == 0.416667
    assert said["lesions"][0]["label"] == "Pneumothorax"
    assert said["lesions"][0]["box"] == pytest.approx([0.6, 0.2, 0.7, 0.3], abs=1e-5)


def test_the_lines_of_the_ratio_have_its_lengths(reader, film):
    reading = reader.read(film)
    anatomy = reading.anatomy
    heart, chest = anatomy["heart_line"], anatomy["chest_line"]
    widths = [line[2] - line[0] for line in (heart, chest)]
    assert widths[0] / widths[1] == pytest.approx(anatomy["cardiothoracic_ratio"], abs=1e-4)
    assert heart[1] == heart[3]
    assert chest[0] < heart[0] < heart[2] < chest[2]
    assert set(reading.to_json()["anatomy"]) == {"lung_fraction", "cardiothoracic_ratio"}


def test_every_part_is_there_and_can_be_written_as_json(reader, film):
    said = json.loads(json.dumps(reader.read(film).to_json()))
    assert list(said["findings"]) == list(NAMES)
    assert all(0 < value < 1 for value in said["findings"].values())
    assert {"gate", "classify", "anatomy", "detect", "anomaly", "attention", "total"} == set(
        said["timings_ms"]
    )
    assert said["release"] == "tiny"
    assert all(lesion["score"] >= 0.01 for lesion in said["lesions"])
    scores = [lesion["score"] for lesion in said["lesions"]]
    assert scores == sorted(scores, reverse=True)


def test_only_lesions_past_their_operating_point_are_shown(reader, film):
    for lesion in reader.read(film).lesions or []:
        assert lesion.shown == (lesion.score >= 0.5)


def test_both_engines_read_the_same(weights, reader, film):
    other = load_reader(weights=weights, backend="onnx").read(film)
    ours = reader.read(film)
    assert other.findings == pytest.approx(ours.findings, abs=1e-5)
    assert [top.disease for top in other.top3 or []] == [top.disease for top in ours.top3 or []]


def test_reading_twice_gives_the_same(reader, film):
    first, second = (reader.read(film).to_json() for _ in range(2))
    del first["timings_ms"], second["timings_ms"]
    assert first == second


@pytest.mark.parametrize("age_years", [0.1, 4.0, None, 98.0])
def test_no_film_is_refused_for_the_age_of_the_patient(reader, film, age_years):
    header = dataclasses.replace(film.header, age_years=age_years)
    assert reader.read(dataclasses.replace(film, header=header)).status == "read"


def test_the_reader_of_childrens_films_answers_when_it_is_asked(reader, film):
    heard: list[str] = []
    child = reader.read(film, child=True, on_stage=heard.append)
    assert tuple(heard) == (*STAGES, CHILD_STAGE)
    assert 0 < child.to_json()["pneumonia"] < 1
    plain = reader.read(film)
    assert plain.pneumonia is None
    assert plain.findings == child.findings
    assert reader.release.child_ages == (1, 6)
    assert reader.release.child_point.threshold == 0.5
    added = set(reader.pictures(film, child)) - set(reader.pictures(film, plain))
    assert added == {"pneumonia"}


def test_a_release_without_the_reader_of_childrens_films_says_so(tmp_path, film):
    weights = build_release(tmp_path)
    members = dict.fromkeys(REQUIRED, "1")
    write_release(weights, "zz", members)
    adults = load_reader(weights=weights)
    assert adults.release.child_point is None
    with pytest.raises(ValueError, match="zz has no reader of children"):
        adults.read(film, child=True)


def test_what_the_gate_refuses_is_a_reading_with_its_reason_and_only_the_film_as_picture(reader):
    heard: list[str] = []
    blank = radiograph(np.full((300, 200), 0.4, np.float32))
    reading = reader.read(blank, on_stage=heard.append)
    assert (reading.status, reading.reason) == ("refused", "blank")
    assert heard == ["gate"]
    assert reading.findings is reading.top3 is reading.lesions is reading.anomaly is None
    assert list(reader.pictures(blank, reading)) == ["film", "thumb"]
    json.dumps(reading.to_json())


def test_a_nearly_white_picture_is_no_chest(reader):
    page = np.ones((300, 200), np.float32)
    page[100:110, 20:180] = 0.0
    assert reader.read(radiograph(page)).reason == "not_a_chest"


def test_a_cancelled_reading_stops_between_stages(reader, film):
    class CancelledError(Exception):
        pass

    def stop(stage: str) -> None:
        if stage == "detect":
            raise CancelledError

    with pytest.raises(CancelledError):
        reader.read(film, on_stage=stop)


def test_pictures_have_the_shape_of_the_film_and_maps_are_grey(reader):
    film = radiograph(draw_phantom(5, 1500).film[:, :1100])
    pictures = reader.pictures(film, reader.read(film))
    small = {name: Image.open(io.BytesIO(pictures.pop(name))) for name in SMALL}
    assert small["thumb"].size == (117, 160)
    maps = small["attention_each"]
    assert maps.mode == "L"
    assert maps.height % len(NAMES) == 0
    assert set(pictures) == {"film", "boxes", "attention", "unet", "reversed_ae", "anatomy"}
    for name, data in pictures.items():
        picture = Image.open(io.BytesIO(data))
        assert picture.size == (751, 1024), name
        assert picture.mode == ("RGB" if name in ("boxes", "anatomy") else "L"), name


def test_shown_lesions_are_drawn_in_red(reader, film):
    drawn = Image.open(io.BytesIO(reader.pictures(film, reader.read(film))["boxes"]))
    red = np.all(np.asarray(drawn) == (255, 0, 0), axis=2)
    height, width = red.shape
    rows, columns = np.nonzero(red)
    assert columns.min() / width == pytest.approx(0.55, abs=0.02)
    assert rows.max() / height == pytest.approx(0.75, abs=0.02)


def test_warming_up_runs_every_graph(reader):
    reader.warm_up()
