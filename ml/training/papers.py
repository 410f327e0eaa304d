"""Writes what lies beside a graph: spec.json, figures, card; and binds versions into releases.

Needs no torch. What a card says comes from the same figures as metrics.json.
"""

from __future__ import annotations

import datetime
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ml.bundle import (
    WEIGHTS,
    Bundle,
    Calibration,
    Input,
    OperatingPoint,
    load_bundle,
    load_release,
    seal_of,
    sha256_of,
)


@dataclass(frozen=True)
class Evidence:
    """What the card and spec.json say beyond the graph.

    purpose: one sentence; metrics: nested figures, each leaf a number, a text or an Interval's dict
    """

    purpose: str
    training_data: str
    licence: str
    metrics: Mapping[str, Any]
    limits: Sequence[str] = ()


@dataclass(frozen=True)
class Contract:
    """How the graph is fed and understood; becomes spec.json."""

    input: Input
    preprocessing: int
    labels: Sequence[str]
    outputs: Sequence[str]
    operating_points: Mapping[str, Mapping[str, OperatingPoint]]
    calibration: Mapping[str, Calibration] = field(default_factory=dict)
    prevalence: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


def figures_of(metrics: Mapping[str, Any], path: str = "") -> list[tuple[str, str]]:
    """Flatten nested figures to rows of (name, value)."""
    rows: list[tuple[str, str]] = []
    for name, value in metrics.items():
        label = f"{path} · {name}" if path else str(name)
        if isinstance(value, Mapping) and {"value", "low", "high"} <= set(value):
            rows.append((label, f"{value['value']:.3f} ({value['low']:.3f}–{value['high']:.3f})"))
        elif isinstance(value, Mapping):
            rows.extend(figures_of(value, label))
        elif isinstance(value, float):
            rows.append((label, f"{value:.4g}"))
        else:
            rows.append((label, str(value)))
    return rows


def make_card(title: str, contract: Contract, evidence: Evidence) -> str:
    """Write the card from the same figures that metrics.json holds."""
    expected = contract.input
    limits = [limit for limit in evidence.limits if limit] or [
        "Not measured on films of other hospitals."
    ]
    rows = "\n".join(f"| {name} | {value} |" for name, value in figures_of(evidence.metrics))
    return f"""# {title}

{evidence.purpose}

| what | value |
|---|---|
| input | {expected.size} × {expected.size} px, {expected.channels} channel |
| normalisation | (grey of 0..255 − {expected.mean:g}) / {expected.std:g} |
| preprocessing | number {contract.preprocessing} |
| outputs | {", ".join(contract.outputs)} |
| labels | {", ".join(contract.labels)} |
| licence of the weights | {evidence.licence} |

## Training data

{evidence.training_data}

## Figures

In brackets: 95 % bootstrap interval.

| what | value |
|---|---|
{rows}

## Limits

{chr(10).join(f"- {limit}" for limit in limits)}
- A support for a physician's reading, not a medical device, and no substitute for a radiologist.
"""


def write_spec(
    home: Path, member: str, version: str, *, contract: Contract, evidence: Evidence
) -> None:
    """Write spec.json over the files that lie in the folder already."""
    spec = {
        "name": member,
        "version": version,
        "graph": "graph.onnx",
        "input": asdict(contract.input),
        "preprocessing": contract.preprocessing,
        "labels": list(contract.labels),
        "outputs": list(contract.outputs),
        "calibration": {key: asdict(value) for key, value in contract.calibration.items()},
        "operating_points": {
            label: {name: asdict(point) for name, point in points.items()}
            for label, points in contract.operating_points.items()
        },
        "prevalence": dict(contract.prevalence),
        "training_data": evidence.training_data,
        "licence": evidence.licence,
        "settings": dict(contract.settings),
        "files": {
            path.name: sha256_of(path)
            for path in sorted(home.iterdir())
            if path.name != "spec.json"
        },
    }
    (home / "spec.json").write_text(json.dumps(spec, indent=1) + "\n")


def write_release(name: str, members: Mapping[str, str], *, weights: Path = WEIGHTS) -> Path:
    """Bind versions into a release and load it as serving will.

    members: member → version
    raises: ml.bundle.ReleaseError where they do not make a release
    """
    release: dict[str, Any] = {
        "name": name,
        "created": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "members": dict(members),
        "specs": {
            member: sha256_of(weights / member / version / "spec.json")
            for member, version in members.items()
        },
    }
    release["seal"] = seal_of(release)
    path = weights / "releases" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(release, indent=1) + "\n")
    load_release(name, weights=weights)
    return path


def newest_version(member: str, *, weights: Path = WEIGHTS) -> str:
    """The newest exported version of a network; raises FileNotFoundError where there is none."""
    versions = sorted(path.parent.name for path in (weights / member).glob("*/spec.json"))
    if not versions:
        raise FileNotFoundError(f"no exported version of {member} in {weights}")
    return versions[-1]


def rewrite(bundle: Bundle, version: str, contract: Contract, evidence: Evidence) -> Path:
    """Copy a bundle as a new version with another contract and other figures; the graph stays.

    returns: the new version's folder
    """
    home = bundle.folder.parent / version
    if home != bundle.folder:
        shutil.copytree(bundle.folder, home, dirs_exist_ok=True)
    write_papers(home, bundle.spec.name, version, contract=contract, evidence=evidence)
    load_bundle(home.parents[1], bundle.spec.name, version)
    return home


def write_papers(
    home: Path, member: str, version: str, *, contract: Contract, evidence: Evidence
) -> None:
    """Write figures, card and spec.json beside the graph that lies in the folder already."""
    (home / "metrics.json").write_text(json.dumps(evidence.metrics, indent=1) + "\n")
    (home / "CARD.md").write_text(make_card(f"{member} {version}", contract, evidence))
    write_spec(home, member, version, contract=contract, evidence=evidence)


def contract_of(bundle: Bundle) -> Contract:
    """The contract that a bundle was written with."""
    spec = bundle.spec
    return Contract(
        input=spec.input,
        preprocessing=spec.preprocessing,
        labels=spec.labels,
        outputs=spec.outputs,
        operating_points=spec.operating_points,
        calibration=spec.calibration,
        prevalence=spec.prevalence,
        settings=spec.settings,
    )
