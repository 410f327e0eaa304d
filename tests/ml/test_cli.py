"""The command line writes a line for every film, in order, whatever is wrong with it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.bundle import REQUIRED
from ml.cli import KEYS, main, unique_stems
from ml.imaging.phantom import draw_phantom
from ml.imaging.render import encode_png
from tests.ml.tiny import build_release, write_release

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_release(tmp_path_factory.mktemp("weights"))


@pytest.fixture(autouse=True)
def _tiny_release(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XRAYDX_WEIGHTS", str(weights))


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.png"
    path.write_bytes(encode_png(np.rint(draw_phantom(3, 256).film * 255).astype(np.uint8)))
    return path


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_argument_has_its_line_in_order(film, tmp_path, capsys):
    empty, missing, text = tmp_path / "empty.png", tmp_path / "none.dcm", tmp_path / "note.png"
    empty.touch()
    text.write_text("no film\n" * 40)
    files = [str(path) for path in (empty, film, missing, tmp_path, text, film)]
    out = tmp_path / "out.jsonl"
    assert main(["predict", "--out", str(out), *files]) == 0
    lines = read_lines(out)
    assert [line["file"] for line in lines] == files
    assert [line["status"] for line in lines] == [
        "refused", "read", "refused", "refused", "refused", "read",
    ]  # fmt: skip
    assert [line["reason"] for line in lines] == [
        "empty", None, "missing", "unreadable", "format_not_supported", None,
    ]  # fmt: skip
    heard = capsys.readouterr()
    assert heard.out == ""
    assert "6/6" in heard.err


def test_a_line_has_all_keys_and_a_refused_one_only_its_reason(film, tmp_path, capsys):
    assert main(["predict", str(film), str(tmp_path / "none.png")]) == 0
    read, refused = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert tuple(read) == tuple(refused) == KEYS
    assert all(read[key] is not None for key in KEYS if key != "reason")
    assert all(refused[key] is None for key in KEYS[3:])
    assert set(read["anomaly"]) == {"unet", "reversed_ae"}
    assert len(read["top3"]) == 3


def test_the_reader_of_childrens_films_adds_its_key_and_its_map(film, tmp_path, capsys):
    maps = tmp_path / "maps"
    arguments = ["predict", "--reader", "paediatric", "--maps", str(maps)]
    assert main([*arguments, str(film), str(tmp_path / "none.png")]) == 0
    read, refused = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert tuple(read) == tuple(refused) == (*KEYS, "pneumonia")
    assert 0 < read["pneumonia"] < 1
    assert refused["pneumonia"] is None
    assert (maps / "film.pneumonia.png").is_file()


def test_a_release_without_the_reader_of_childrens_films_ends_with_3(
    film, tmp_path, capsys, monkeypatch
):
    weights = build_release(tmp_path / "weights")
    write_release(weights, "zz", dict.fromkeys(REQUIRED, "1"))
    monkeypatch.setenv("XRAYDX_WEIGHTS", str(weights))
    assert main(["predict", "--reader", "paediatric", str(film)]) == 3
    assert "no reader of children's films" in capsys.readouterr().err


def test_maps_are_written_beside_each_other_for_equal_stems(film, tmp_path):
    other = tmp_path / "other" / "film.png"
    other.parent.mkdir()
    other.write_bytes(film.read_bytes())
    maps = tmp_path / "maps"
    assert (
        main(["predict", "--maps", str(maps), "--out", str(tmp_path / "o"), str(film), str(other)])
        == 0
    )
    kinds = ("anatomy", "attention", "boxes", "reversed_ae", "unet")
    expected = {f"{stem}.{kind}.png" for stem in ("film", "film-2") for kind in kinds}
    assert {path.name for path in maps.iterdir()} == expected
    with Image.open(maps / "film-2.attention.png") as picture:
        assert picture.mode == "L"


def test_the_release_is_timed_stage_by_stage(film, tmp_path, capsys):
    stored = tmp_path / "speed.json"
    assert main(["speed", str(film), "--rounds", "2", "--store", str(stored)]) == 0
    assert json.loads(stored.read_text())["films"] == 2
    lines = capsys.readouterr().out.splitlines()
    stages = [line.split()[0] for line in lines[:-3]]
    assert stages == ["gate", "anatomy", "classify", "detect", "anomaly", "attention", "total"]
    assert lines[-4].endswith("100.0 %")
    assert "MB" in lines[-1]


def test_without_a_film_nothing_is_timed(tmp_path, capsys):
    assert main(["speed", str(tmp_path / "none.png")]) == 2
    assert "no film to read" in capsys.readouterr().err


def test_stems_never_meet():
    files = ["a/x.png", "b/x.dcm", "x-2.png", "c/x.png", "y"]
    assert unique_stems(files) == ["x", "x-2", "x-2-2", "x-3", "y"]


def test_a_release_that_can_not_be_loaded_ends_with_3(film, capsys):
    assert main(["predict", "--release", "2020.1.1", str(film)]) == 3
    assert "no release '2020.1.1'; there are: tiny" in capsys.readouterr().err


def test_the_torch_backend_without_its_checkpoint_ends_with_3(film, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("XRAYDX_VAR", str(tmp_path))
    assert main(["predict", "--backend", "torch", str(film)]) == 3
    assert "training checkpoint" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["predict"], ["predict", "--backend", "cuda", "f"], ["read", "f"], [], ["train", "tea"]],
)
def test_wrong_usage_ends_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: python -m ml" in capsys.readouterr().err


def test_a_place_that_can_not_be_written_ends_with_2(film, tmp_path, capsys):
    assert main(["predict", "--out", str(tmp_path / "no" / "out.jsonl"), str(film)]) == 2
    assert "can't write" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", ["predict", "train", "evaluate", "export", "calibrate", "speed"]
)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert len(capsys.readouterr().out.splitlines()) > 8


def test_it_runs_as_a_program(film):
    done = subprocess.run(
        [sys.executable, "-m", "ml", "predict", str(film)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "read"
