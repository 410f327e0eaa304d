"""Fits the gate's operating points on `val` and measures it on `test` and on another hospital."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.bundle import WEIGHTS, Bundle, OperatingPoint
from ml.gate import KINDS, Entry, Gate
from ml.runtime import Graph
from ml.training.anomaly import PlainFilm, cases_of, read_plain_films
from ml.training.data import SHARED, load_pixels
from ml.training.export import Contract, Evidence, write_bundle
from ml.training.gate import GateNetwork
from ml.training.gate_films import GateFilm, crop_heavily, draw_blank, read_gate_films
from ml.training.groups import BY_GROUP, compare_groups, verdict
from ml.training.members import (
    GUANGZHOU,
    HOURS,
    LICENCE,
    NIH,
    grey_input,
    keep_checkpoint,
    load_average,
    load_draft,
)
from ml.training.proportions import clopper_pearson
from ml.training.storing import round_weights

REFUSED = 0.97  # share of each unfit kind of val that the threshold keeps out, and no more
LOWEST, HIGHEST = 0.02, 0.9
FEW = 20  # pictures, under which a kind has no share of its own
THRESHOLDS = {"frontal": 0.5, "turned": 0.6, "inverted": 0.6}


def gate_of(graph: Graph, config: dict[str, Any], thresholds: dict[str, float]) -> Gate:
    """The serving stage around a graph."""
    return Gate(
        graph,
        expected=grey_input(config["size"]),
        preprocessing=config["preprocessing"],
        thresholds=thresholds,
    )


def fit_thresholds(
    graph: Graph, films: Sequence[GateFilm], config: dict[str, Any], *, limit: int = 400
) -> dict[str, float]:
    """Choose the lowest operating point for "frontal" that keeps the unfit pictures of val out.

    Good films are refused no more often than that needs; other hospitals' are not looked at.
    limit: how many good val films are cropped for it
    """
    gate = gate_of(graph, config, THRESHOLDS)
    rng = np.random.default_rng(1)
    val = [film for film in films if film.split == "val"]
    good = [film for film in val if film.kind == "frontal"]
    drawn = rng.choice(len(good), min(limit, len(good)), replace=False)
    crops = (crop_heavily(load_pixels(good[i].path), rng) for i in drawn)
    strange = (load_pixels(film.path) for film in val if film.kind != "frontal")
    marks = []
    for pictures in (crops, strange):
        frontal = [_frontal(gate.check(np.ascontiguousarray(p))) for p in pictures]
        if len(frontal) >= FEW:
            marks.append(float(np.quantile(frontal, REFUSED)))
    mark = float(np.clip(max(marks, default=THRESHOLDS["frontal"]), LOWEST, HIGHEST))
    return {**THRESHOLDS, "frontal": round(mark, 4)}


def _frontal(entry: Entry) -> float:
    value = entry.quality.get("frontal", 0.0)
    assert isinstance(value, float)
    return value


def count(entries: Sequence[Entry]) -> dict[str, Any]:
    """How many were refused, with which codes, and how many were corrected and let pass."""
    refused = [entry.refusal for entry in entries if entry.refusal]
    corrected = sum(1 for e in entries if not e.refusal and e.corrections)
    untouched = sum(1 for e in entries if not e.refusal and not e.corrections)
    return {
        "refused": clopper_pearson(len(refused), len(entries)),
        "codes": dict(Counter(refused)),
        "corrected": corrected,
        "read_as_it_is": untouched,
    }


def spoil(pixels: np.ndarray, how: str, rng: np.random.Generator) -> np.ndarray:
    """Make a good film unfit.

    pixels: [H, W] float32 in 0..1
    """
    if how == "upside_down":
        return np.rot90(pixels, 2)
    if how == "turned":
        return np.rot90(pixels, int(rng.choice([1, 3])))
    if how == "inverted":
        return 1 - pixels
    if how == "cropped":
        return crop_heavily(pixels, rng)
    return draw_blank(320, rng).astype(np.float32) / 255


def read_external(root: Path) -> list[Path]:
    """Frontal films of other hospitals, never used for training."""
    with (root / "external" / "films.csv").open(newline="") as file:
        return [root / "external" / row["file"] for row in csv.DictReader(file)]


def measure(gate: Gate, root: Path, *, spoiled: int = 250) -> dict[str, Any]:
    """Measure on test films: good ones by collection, what is no chest film by kind, spoiled ones.

    spoiled: how many good nih test films are spoiled in each way
    """
    films = [f for f in read_gate_films(root) if f.split == "test"]
    good: dict[str, Any] = {}
    unfit: dict[str, Any] = {}
    refused: dict[Path, bool] = {}  # good films
    for group in sorted({f.group for f in films}):
        members = [f for f in films if f.group == group]
        entries = [gate.check(load_pixels(f.path)) for f in members]
        if members[0].kind == "frontal":
            good[group] = count(entries)
            passed = zip(members, entries, strict=True)
            refused |= {film.path: entry.refusal is not None for film, entry in passed}
        else:
            unfit[group] = count(entries)
    good["external"] = count([gate.check(load_pixels(path)) for path in read_external(root)])
    whole = [f for f in films if f.group == "nih films"]
    rng = np.random.default_rng(0)
    for how in ("upside_down", "cropped", "blank", "turned", "inverted"):
        drawn = rng.choice(len(whole), min(spoiled, len(whole)), replace=False)
        pictures = (spoil(load_pixels(whole[i].path), how, rng) for i in drawn)
        unfit[how] = count([gate.check(np.ascontiguousarray(p)) for p in pictures])
    return {
        "good": good,
        "unfit": unfit,
        "unfit_refused": _over_all(unfit),
        f"good films refused{BY_GROUP}": compare_refusals(refused, read_plain_films(root)),
    }


def compare_refusals(refused: Mapping[Path, bool], films: Sequence[PlainFilm]) -> dict[str, Any]:
    """Share of the good films refused, in every group of those whose patients are known."""
    known = [film for film in films if film.path in refused]
    turned_away = np.array([refused[film.path] for film in known])
    return compare_groups(
        lambda drawn: float(turned_away[drawn].mean()),
        cases_of(known),
        called="share",
        lower_is_better=True,
        share=True,
    )


def _over_all(unfit: dict[str, Any]) -> dict[str, float | int]:
    """Share refused over everything unfit, where right corrections count as refused."""
    total = sum(part["refused"]["films"] for part in unfit.values())
    passed = sum(part["read_as_it_is"] for part in unfit.values())
    passed += sum(p["corrected"] for k, p in unfit.items() if k not in ("turned", "inverted"))
    return clopper_pearson(total - passed, total)


def make_contract(config: dict[str, Any], thresholds: dict[str, float]) -> Contract:
    """How the gate's graph is fed and understood."""
    return Contract(
        input=grey_input(config["size"]),
        preprocessing=config["preprocessing"],
        labels=("frontal",),
        outputs=("kinds", "turns", "inverted"),
        operating_points={"frontal": {"alert": OperatingPoint(thresholds["frontal"])}},
        settings={"thresholds": thresholds, "kinds": list(KINDS)},
    )


def tell(metrics: dict[str, Any]) -> Evidence:
    """What the card says."""
    return Evidence(
        purpose="Lets frontal chest films through and refuses what the other networks must not "
        "read; rights films that are turned by a quarter or inverted.",
        training_data=f"Good films: {NIH}, {GUANGZHOU}, JSRT and Wingspan. Other pictures: bones, "
        "knees, teeth, breasts, CT slices, lateral chests, photographs, documents, screenshots. "
        "Turned, inverted, cropped and blank ones are made from the good ones.",
        licence=LICENCE,
        metrics=metrics,
        limits=[
            "In brackets: exact (Clopper-Pearson) intervals. Some kinds have few test pictures.",
            "A film mirrored left to right is not noticed.",
            "Right corrections of turned and inverted films count as refusals over all.",
            "By group: good films of NIH and, as one group, of Guangzhou's children; for JSRT, "
            "Wingspan and the other hospital's films age, sex and view are not known.",
            verdict(metrics),
            HOURS,
        ],
    )


def export(
    config: dict[str, Any], version: str, *, root: Path = SHARED, weights: Path = WEIGHTS
) -> Bundle:
    """Fit, measure and export the gate of a finished training."""
    network = GateNetwork()
    trained = load_average(network, config["name"])
    round_weights(network)
    graph = load_draft("gate", network, make_contract(config, THRESHOLDS))
    thresholds = fit_thresholds(graph, read_gate_films(root), config)
    figures = measure(gate_of(graph, config, thresholds), root)
    contract = make_contract(config, thresholds)
    keep_checkpoint("gate", version, {"state": network.state_dict()})
    return write_bundle(
        "gate",
        version,
        network,
        contract=contract,
        evidence=tell({**figures, **trained}),
        weights=weights,
    )
