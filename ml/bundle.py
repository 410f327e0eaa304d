"""Reads releases: which version of every network belongs together, and whether its files are whole.

A bundle is a folder `<model>/<version>/` with a graph, spec.json, metrics.json, CARD.md and
parity.npz. A release is a file `releases/<name>.json` that binds one version of each. Nothing is
downloaded and nothing falls back: what is not whole is not read, and the error says which file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.vocabulary import ABNORMAL, NAMES

WEIGHTS = Path(__file__).parent / "weights"
REQUIRED = ("gate", "classifier", "detector", "anatomy", "unet", "reversed_ae")
OPTIONAL = ("synthetic", "paediatric")
CHILD_LABEL = "Pneumonia"  # what the member paediatric answers
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ReleaseError(Exception):
    """A release can't be loaded; the message names the file, byte count or label at fault."""


@dataclass(frozen=True)
class Input:
    """What a graph takes: [1, channels, size, size] float32, (grey 0..255 − mean) / std."""

    size: int
    channels: int
    mean: float
    std: float


@dataclass(frozen=True)
class Calibration:
    """Platt scaling: probability = 1 / (1 + exp(−(slope · logit + intercept)))."""

    slope: float
    intercept: float


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold with what it was measured to do on the films that it was chosen on."""

    threshold: float
    sensitivity: float | None = None
    specificity: float | None = None


@dataclass(frozen=True)
class Spec:
    """What spec.json says of a network.

    outputs: names of the graph's outputs, in order
    operating_points: label → name of the point ("alert" is the one that pages show) → point
    settings: whatever else the network's own stage reads
    files: name → sha256 of every other file in the folder
    """

    name: str
    version: str
    graph: str
    input: Input
    preprocessing: int
    labels: tuple[str, ...]
    outputs: tuple[str, ...]
    calibration: Mapping[str, Calibration]
    operating_points: Mapping[str, Mapping[str, OperatingPoint]]
    prevalence: Mapping[str, float]
    training_data: str
    licence: str
    settings: Mapping[str, Any]
    files: Mapping[str, str]

    def thresholds(self, point: str = "alert") -> dict[str, float]:
        """Label → threshold of the named operating point."""
        return {label: points[point].threshold for label, points in self.operating_points.items()}


@dataclass(frozen=True)
class Bundle:
    """A network's folder whose files are all as spec.json says."""

    folder: Path
    spec: Spec

    @property
    def graph(self) -> Path:
        """The exported graph."""
        return self.folder / self.spec.graph


@dataclass(frozen=True)
class Release:
    """Versions that belong together.

    versions: member → version; labels: the diseases that a reading gives probabilities for
    operating_points: label → the point at which a finding is shown as an alert
    child_point: the same of pneumonia in children, None where the release has no reader for them
    child_ages: years that this reader's training films came from, first and first not any more
    """

    name: str
    created: str
    versions: Mapping[str, str]
    bundles: Mapping[str, Bundle]
    labels: tuple[str, ...]
    operating_points: Mapping[str, OperatingPoint]
    abnormal_point: OperatingPoint
    child_point: OperatingPoint | None = None
    child_ages: tuple[float, float] | None = None


def weights_folder(weights: Path | None = None) -> Path:
    """Where bundles and releases lie: the argument, XRAYDX_WEIGHTS, or the package's own folder."""
    if weights is not None:
        return weights
    named = os.environ.get("XRAYDX_WEIGHTS")
    return Path(named) if named else WEIGHTS


def release_names(weights: Path | None = None) -> list[str]:
    """Names of the releases at hand, oldest first."""
    return sorted(path.stem for path in (weights_folder(weights) / "releases").glob("*.json"))


def current_release(name: str | None = None, *, weights: Path | None = None) -> str:
    """Give the release that would be loaded, without opening it.

    name: None or empty for the newest by name
    raises: ReleaseError where there is none of that name
    """
    names = release_names(weights)
    if not name:
        if not names:
            raise ReleaseError(f"no release in {weights_folder(weights) / 'releases'}")
        return names[-1]
    if name not in names:
        raise ReleaseError(f"no release {name!r}; there are: {', '.join(names) or 'none'}")
    return name


def seal_of(release: Mapping[str, Any]) -> str:
    """Hash of everything that a release file says but the hash itself."""
    said = {key: value for key, value in release.items() if key != "seal"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_release(name: str | None = None, *, weights: Path | None = None) -> Release:
    """Read a release and prove that every byte of its bundles is what it was.

    name: None for the newest by name
    raises: ReleaseError
    """
    folder = weights_folder(weights)
    name = current_release(name, weights=weights)
    said = _read_json(folder / "releases" / f"{name}.json", label=f"releases/{name}.json")
    where = f"releases/{name}.json"
    if said.get("seal") != seal_of(said):
        raise ReleaseError(f"{where}: its content does not fit its seal; it was changed")
    if said.get("name") != name:
        raise ReleaseError(f"{where}: says that its name is {said.get('name')!r}")
    members: dict[str, str] = said["members"]
    missing = [member for member in REQUIRED if member not in members]
    unknown = [member for member in members if member not in (*REQUIRED, *OPTIONAL)]
    if missing or unknown:
        raise ReleaseError(f"{where}: lacks members {missing}, has unknown members {unknown}")
    bundles = {}
    for member, version in members.items():
        bundles[member] = load_bundle(folder, member, version, spec_sha256=said["specs"][member])
    return _bind(said, bundles, where=where)


def _bind(said: Mapping[str, Any], bundles: dict[str, Bundle], *, where: str) -> Release:
    classifier = bundles["classifier"].spec
    missing = [label for label in (*NAMES, ABNORMAL) if label not in classifier.labels]
    if missing:
        raise ReleaseError(f"{where}: the classifier has no output for {', '.join(missing)}")
    points = {label: classifier.operating_points[label]["alert"] for label in (*NAMES, ABNORMAL)}
    child = bundles["paediatric"].spec if "paediatric" in bundles else None
    return Release(
        name=said["name"],
        created=said["created"],
        versions=dict(said["members"]),
        bundles=bundles,
        labels=NAMES,
        operating_points={label: points[label] for label in NAMES},
        abnormal_point=points[ABNORMAL],
        child_point=child.operating_points[CHILD_LABEL]["alert"] if child else None,
        child_ages=(child.settings["ages"][0], child.settings["ages"][1]) if child else None,
    )


def load_bundle(
    folder: Path, model: str, version: str, *, spec_sha256: str | None = None
) -> Bundle:
    """Read one network's folder and check every file in it.

    spec_sha256: what the release says of spec.json; None skips that one check (while exporting)
    raises: ReleaseError naming the file or label at fault
    """
    where = f"{model}/{version}"
    if not NAME.fullmatch(model) or not NAME.fullmatch(version):
        raise ReleaseError(f"{where!r} is no name of a bundle")
    home = folder / model / version
    if not home.is_dir():
        raise ReleaseError(f"{where}: there is no such folder in {folder}")
    said = _read_json(home / "spec.json", label=f"{where}/spec.json")
    if spec_sha256 is not None and sha256_of(home / "spec.json") != spec_sha256:
        raise ReleaseError(
            f"{where}/spec.json: changed since the release was made (sha256 differs)"
        )
    try:
        spec = parse_spec(said)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        fault = f"{type(error).__name__}: {error}"
        raise ReleaseError(f"{where}/spec.json: not a spec ({fault})") from error
    if (spec.name, spec.version) != (model, version):
        raise ReleaseError(f"{where}/spec.json: says that it is {spec.name}/{spec.version}")
    _check_files(home, spec, where=where)
    _check_labels(spec, where=where)
    return Bundle(home, spec)


def parse_spec(said: Mapping[str, Any]) -> Spec:
    """Turn spec.json into a Spec; raises KeyError, TypeError or ValueError where it is none."""
    points = {
        label: {name: OperatingPoint(**point) for name, point in named.items()}
        for label, named in said["operating_points"].items()
    }
    return Spec(
        name=str(said["name"]),
        version=str(said["version"]),
        graph=str(said["graph"]),
        input=Input(**said["input"]),
        preprocessing=int(said["preprocessing"]),
        labels=tuple(said["labels"]),
        outputs=tuple(said["outputs"]),
        calibration={key: Calibration(**value) for key, value in said["calibration"].items()},
        operating_points=points,
        prevalence=dict(said["prevalence"]),
        training_data=str(said["training_data"]),
        licence=str(said["licence"]),
        settings=dict(said.get("settings", {})),
        files=dict(said["files"]),
    )


def _read_json(path: Path, *, label: str) -> dict[str, Any]:
    try:
        said = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ReleaseError(f"{label}: missing") from error
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{label}: can't be read as JSON ({error})") from error
    if not isinstance(said, dict):
        raise ReleaseError(f"{label}: holds no JSON object")
    return said


def _check_files(home: Path, spec: Spec, *, where: str) -> None:
    if spec.graph not in spec.files:
        raise ReleaseError(f"{where}/spec.json: no sha256 for the graph {spec.graph}")
    for name, sha256 in spec.files.items():
        path = home / name
        if Path(name).name != name or not path.is_file():
            raise ReleaseError(f"{where}/{name}: missing")
        found = sha256_of(path)
        if found != sha256:
            raise ReleaseError(
                f"{where}/{name}: changed (sha256 is {found[:12]}…, spec.json says {sha256[:12]}…)"
            )


def _check_labels(spec: Spec, *, where: str) -> None:
    """Labels, operating points and calibration must speak of the same labels."""
    labels = set(spec.labels)
    for kind, named in (
        ("operating_points", set(spec.operating_points)),
        ("calibration", set(spec.calibration)),
    ):
        if kind == "calibration" and not named:
            continue  # a network without probabilities has none
        if named - labels:
            raise ReleaseError(
                f"{where}: {kind} for {sorted(named - labels)}, not among its labels"
            )
        if labels - named:
            raise ReleaseError(f"{where}: no {kind} for the labels {sorted(labels - named)}")
    for label, points in spec.operating_points.items():
        if "alert" not in points:
            raise ReleaseError(f"{where}: label {label} has no operating point named alert")
