"""A release is whole, or it is not read and the error says why."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ml.bundle import (
    ReleaseError,
    current_release,
    load_bundle,
    load_release,
    release_names,
    seal_of,
    sha256_of,
)
from ml.vocabulary import NAMES
from tests.ml.tiny import build_release


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_release(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def weights(built: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(built, tmp_path / "weights"))


def rewrite_spec(weights: Path, member: str, change: dict[str, Any]) -> None:
    """Change a spec and seal everything again, so that only its content is at fault."""
    path = weights / member / "1" / "spec.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    reseal(weights, {"specs": {member: sha256_of(path)}})


def reseal(weights: Path, change: dict[str, Any]) -> None:
    path = weights / "releases" / "tiny.json"
    said = json.loads(path.read_text())
    for key, value in change.items():
        said[key] = said[key] | value if isinstance(value, dict) else value
    said["seal"] = seal_of(said)
    path.write_text(json.dumps(said))


def test_a_whole_release_loads_with_an_operating_point_for_each_of_the_13(weights):
    release = load_release(weights=weights)
    assert release.name == "tiny"
    assert release.labels == NAMES
    assert list(release.operating_points) == list(NAMES)
    assert release.operating_points["Edema"].threshold == 0.4
    assert release.versions["detector"] == "1"


@pytest.mark.parametrize("file", ["graph.onnx", "metrics.json", "CARD.md", "spec.json"])
@pytest.mark.parametrize("member", ["classifier", "gate", "unet"])
def test_a_changed_byte_is_named(weights, member, file):
    path = weights / member / "1" / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ReleaseError, match=f"{member}/1/{file}"):
        load_release(weights=weights)


@pytest.mark.parametrize("file", ["graph.onnx", "metrics.json", "spec.json"])
def test_a_missing_file_is_named(weights, file):
    (weights / "anatomy" / "1" / file).unlink()
    with pytest.raises(ReleaseError, match=f"anatomy/1/{file}: missing"):
        load_release(weights=weights)


def test_a_missing_version_is_named(weights):
    shutil.rmtree(weights / "reversed_ae")
    with pytest.raises(ReleaseError, match="reversed_ae/1"):
        load_release(weights=weights)


def test_a_changed_release_file_does_not_fit_its_seal(weights):
    path = weights / "releases" / "tiny.json"
    path.write_text(path.read_text().replace("2026-01-01", "2026-01-02"))
    with pytest.raises(ReleaseError, match=r"releases/tiny.json.*seal"):
        load_release(weights=weights)


def test_an_operating_point_without_its_label_is_named(weights):
    path = weights / "classifier" / "1" / "spec.json"
    points = json.loads(path.read_text())["operating_points"]
    points["Flu"] = points["Edema"]
    rewrite_spec(weights, "classifier", {"operating_points": points})
    with pytest.raises(ReleaseError, match=r"classifier/1.*Flu"):
        load_release(weights=weights)


@pytest.mark.parametrize("field", ["operating_points", "calibration"])
def test_a_label_without_its_operating_point_or_calibration_is_named(weights, field):
    path = weights / "classifier" / "1" / "spec.json"
    said = json.loads(path.read_text())[field]
    del said["Edema"]
    rewrite_spec(weights, "classifier", {field: said})
    with pytest.raises(ReleaseError, match=f"classifier/1.*{field}.*Edema"):
        load_release(weights=weights)


def test_a_classifier_without_one_of_the_13_is_named(weights):
    path = weights / "classifier" / "1" / "spec.json"
    said = json.loads(path.read_text())
    change = {
        "labels": [label for label in said["labels"] if label != "Mass"],
        "calibration": {k: v for k, v in said["calibration"].items() if k != "Mass"},
        "operating_points": {k: v for k, v in said["operating_points"].items() if k != "Mass"},
    }
    rewrite_spec(weights, "classifier", change)
    with pytest.raises(ReleaseError, match="no output for Mass"):
        load_release(weights=weights)


@pytest.mark.parametrize(
    ("change", "fault"),
    [({"input": {"size": 32}}, "not a spec"), ({"name": "gate"}, "says that it is gate")],
)
def test_a_spec_that_is_none_is_named(weights, change, fault):
    rewrite_spec(weights, "detector", change)
    with pytest.raises(ReleaseError, match=f"detector/1/spec.json.*{fault}"):
        load_release(weights=weights)


def test_a_release_that_lacks_a_member_is_named(weights):
    path = weights / "releases" / "tiny.json"
    said = json.loads(path.read_text())
    del said["members"]["gate"]
    said["seal"] = seal_of(said)
    path.write_text(json.dumps(said))
    with pytest.raises(ReleaseError, match=r"lacks members.*gate"):
        load_release(weights=weights)


def test_the_newest_release_by_name_is_the_current_one(weights):
    shutil.copy(weights / "releases" / "tiny.json", weights / "releases" / "aged.json")
    assert release_names(weights) == ["aged", "tiny"]
    assert current_release(weights=weights) == "tiny"
    assert current_release("aged", weights=weights) == "aged"


def test_a_release_under_another_name_is_refused(weights):
    shutil.copy(weights / "releases" / "tiny.json", weights / "releases" / "aged.json")
    with pytest.raises(ReleaseError, match="says that its name is 'tiny'"):
        load_release("aged", weights=weights)


def test_an_unknown_release_is_answered_with_those_there_are(weights):
    with pytest.raises(ReleaseError, match="there are: tiny"):
        current_release("2020.1.1", weights=weights)


def test_no_release_at_all_is_said(tmp_path):
    with pytest.raises(ReleaseError, match="no release in"):
        current_release(weights=tmp_path)


@pytest.mark.parametrize("version", ["..", "../../etc", "1/2", ""])
def test_a_version_can_not_lead_out_of_its_folder(weights, version):
    with pytest.raises(ReleaseError, match="no name of a bundle"):
        load_bundle(weights, "gate", version)


def test_the_environment_names_another_folder(weights, monkeypatch):
    monkeypatch.setenv("XRAYDX_WEIGHTS", str(weights))
    assert current_release() == "tiny"
