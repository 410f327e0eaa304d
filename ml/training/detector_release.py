"""Fits two-stage reading on train and `val`, measures it on `test`, and exports the detector."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml.bundle import WEIGHTS, Bundle, OperatingPoint
from ml.detect import MIN_SCORE, Group
from ml.localise import Rules
from ml.training.attention_report import measure_boxes
from ml.training.boxes import KINDS, BoxedFilm, read_boxed_films
from ml.training.data import SHARED
from ml.training.detector import LesionNetwork, prepare_films
from ml.training.detector_measure import (
    GATES,
    chance_hits,
    false_by_group,
    fit_thresholds,
    hits_by_group,
    lesions_alone,
    lesions_of,
    measure_false,
    measure_hits,
    measure_precision,
    shown_hits,
    try_gates,
)
from ml.training.detector_report import Output, run_network
from ml.training.export import Contract, Evidence, write_bundle
from ml.training.groups import BY_GROUP, verdict
from ml.training.localising import Seen, Watch, fit_rules, group_all, load_helper, store_rules
from ml.training.members import (
    HOURS,
    NIH,
    RSNA,
    grey_input,
    keep_checkpoint,
    load_average,
    load_draft,
)
from ml.training.storing import round_weights
from ml.vocabulary import BOX_LABELS

BESIDE_MAPS = "best boxes, measured as the classifier's maps are"

LOWEST_EXPONENT = 0.3
NORMAL_FILMS = 400  # of each collection and split, at most, evenly drawn


def is_normal(item: BoxedFilm) -> bool:
    """Read as normal by RSNA's radiologists, or unread and without a finding."""
    return item.film.reading == "normal" or not (item.film.reading or item.film.labels)


def fit_exponent(outputs: Sequence[Output]) -> float:
    """Find the exponent that lifts nearly every film's best score of each label above the floor."""
    best = np.stack([scores[:, : len(BOX_LABELS)].max(0) for _, scores in outputs])
    low = float(np.quantile(best, 0.003))
    return float(np.clip(math.log(1.1 * MIN_SCORE) / math.log(min(low, 0.5)), LOWEST_EXPONENT, 1))


@dataclass(frozen=True)
class Part:
    """The films of one split as all three networks saw them, with their candidates in order.

    normal: collection → films without a finding
    """

    boxed: list[Seen]
    groups: list[list[Group]]
    normal: dict[str, list[Seen]]
    normal_groups: dict[str, list[list[Group]]]


def named(films: Sequence[BoxedFilm]) -> list[BoxedFilm]:
    """Films with a box of one of the 8 labels; opacity alone does not count."""
    return [item for item in films if (item.kinds < len(BOX_LABELS)).any()]


def thin_out(films: Sequence[BoxedFilm]) -> list[BoxedFilm]:
    """At most NORMAL_FILMS, evenly drawn."""
    return list(films[:: max(1, math.ceil(len(films) / NORMAL_FILMS))])


def see_part(watch: Watch, root: Path, rules: Mapping[str, Rules], *, split: str) -> Part:
    """See the boxed and the normal films of val or test."""
    films = read_boxed_films(root, split=split)
    boxed = watch.see(named(films), note=f"boxed-{split}")
    free = [item for item in films if not len(item.boxes) and is_normal(item)]
    normal = {
        name: watch.see(
            thin_out([item for item in free if item.film.source == source]), note=f"{name}-{split}"
        )
        for name, source in (("normals_224px", "normals"), ("normal_films_448px", "films"))
    }
    return Part(
        boxed,
        group_all(boxed, rules),
        normal,
        {name: group_all(own, rules) for name, own in normal.items()},
    )


def choose_gate(val: Part) -> tuple[float, dict[float, dict[str, float]], dict[str, Any]]:
    """Fit thresholds for each strength of the gate, and take the strength with the best sum of
    average precision and drawn boxes that hit.

    returns: strength, strength → thresholds, table
    """
    points = {gate: fit_thresholds(list(val.normal_groups.values()), gate) for gate in GATES}
    table = try_gates(val.boxed, val.groups, val.normal_groups, points)
    worth = {
        gate: table[f"gate {gate:g}"]["map_50"] + table[f"gate {gate:g}"]["shown_hit_0.1"]
        for gate in GATES
    }
    return max(worth, key=lambda gate: worth[gate]), points, table


def measure(
    test: Part,
    softened: Sequence[Seen],
    rules: Mapping[str, Rules],
    *,
    gate: float,
    points: Mapping[float, Mapping[str, float]],
) -> dict[str, Any]:
    """Everything on `test`; figures on normal films through 224 px and at 448 px apart."""
    thresholds = points[gate]
    figures: dict[str, Any] = {}
    for name, seen, groups in (
        ("boxed_test", test.boxed, test.groups),
        ("boxed_test_through_224px", softened, group_all(softened, rules)),
    ):
        lesions = lesions_of(groups, gate, thresholds)
        figures[name] = {
            **measure_hits(seen, lesions),
            **measure_precision(seen, lesions),
            **measure_false(seen, lesions),
            **shown_hits(seen, lesions),
        }
    alone = lesions_alone(test.boxed)
    figures["detector_alone"] = {
        **measure_hits(test.boxed, alone),
        **measure_precision(test.boxed, alone),
    }
    for name, seen in test.normal.items():
        lesions = lesions_of(test.normal_groups[name], gate, thresholds)
        figures[name] = measure_false(seen, lesions)
    figures["gate_on_test"] = try_gates(test.boxed, test.groups, test.normal_groups, points)
    return figures | compare(test, gate, thresholds)


def compare(test: Part, gate: float, thresholds: Mapping[str, float]) -> dict[str, Any]:
    """Findings hit and false boxes by group."""
    lesions = lesions_of(test.groups, gate, thresholds)
    hits = {
        f"boxed findings hit, IoU > {level}{BY_GROUP}": hits_by_group(test.boxed, lesions, level)
        for level in (0.1, 0.3)
    }
    return hits | {
        f"boxes per normal film, {name}{BY_GROUP}": false_by_group(
            test.normal[key], lesions_of(test.normal_groups[key], gate, thresholds)
        )
        for key, name in (("normal_films_448px", "448 px"), ("normals_224px", "224 px"))
    }


def tell(metrics: Mapping[str, Any]) -> Evidence:
    """What the card says."""
    return Evidence(
        purpose="Boxes eight findings on a frontal film.",
        training_data=f"{NIH}: films with a radiologist's boxes, and films without a finding; "
        f"boxes of lung opacity and normal films from the {RSNA}. Started from YOLOv5n's COCO "
        "weights. Classifier and outline of the release order and gate its candidates.",
        licence="AGPL-3.0 (YOLOv5)",
        metrics=metrics,
        limits=[
            "Few boxes: some labels have about 45 of them to learn from and 17 to be measured on.",
            "A score orders candidates; it is not a probability.",
            "hit: the highest-scoring box of the right label overlaps the radiologist's by more "
            "than the figure; chance: a training box of that label laid on the film.",
            "detector_alone: the same films by the detector's own scores.",
            "gate: power of the classifier's probability in the score; the rest is the detector's. "
            "Chosen on val by average precision plus drawn boxes that hit; thresholds aim at "
            "0.16 boxes per normal val film.",
            "By group, `films` are boxed findings where findings hit are counted.",
            verdict(metrics),
            HOURS,
        ],
    )


def make_contract(
    config: dict[str, Any],
    network: LesionNetwork,
    thresholds: Mapping[str, float],
    rules: Mapping[str, Rules] | None = None,
) -> Contract:
    """How the detector's graph is fed and understood."""
    settings: dict[str, Any] = {"kinds": list(KINDS), "exponent": network.exponent}
    if rules is not None:
        settings["localise"] = store_rules(rules)
    return Contract(
        input=grey_input(config["size"]),
        preprocessing=config["preprocessing"],
        labels=BOX_LABELS,
        outputs=("boxes", "scores"),
        operating_points={
            label: {"alert": OperatingPoint(round(mark, 5))} for label, mark in thresholds.items()
        },
        settings=settings,
    )


def load_trained(config: dict[str, Any], root: Path) -> tuple[LesionNetwork, dict[str, float]]:
    """The averaged network of a training, with its exponent, and hours and epochs."""
    network = LesionNetwork(size=config["size"])
    trained = load_average(network, config["name"])
    round_weights(network)
    boxed = [item for item in read_boxed_films(root, split="val") if len(item.boxes)]
    pixels = prepare_films(
        boxed, size=config["size"], number=config["preprocessing"], note="boxed-val"
    )
    network.exponent = round(fit_exponent(run_network(network, pixels)), 3)
    return network, trained


def watch_with(network: LesionNetwork, config: dict[str, Any]) -> Watch:
    """The network as an engine runs it, beside the newest exported classifier and outline."""
    undecided = dict.fromkeys(BOX_LABELS, 1.0)
    return Watch(
        load_draft("detector", network, make_contract(config, network, undecided)),
        load_helper("classifier"),
        load_helper("anatomy"),
        grey_input(config["size"]),
        config["preprocessing"],
    )


def boxes_beside_maps(watch: Watch, data: Path) -> dict[str, Any]:
    """The detector's own best boxes, measured as the classifier's maps are."""
    expected, number = watch.expected, watch.number
    return measure_boxes(watch.detector, expected, number=number, labels=BOX_LABELS, data=data)


def export(
    config: dict[str, Any], version: str, *, root: Path = SHARED, weights: Path = WEIGHTS
) -> Bundle:
    """Fit, measure and export the detector of a finished training.

    The newest exported classifier and outline are the ones whose sight is used.
    """
    network, trained = load_trained(config, root)
    watch = watch_with(network, config)
    train_films = read_boxed_films(root, split="train")
    train = watch.see(named(train_films), note="boxed-train")
    rules = fit_rules(train, gate=0.0)
    gate, points, table = choose_gate(see_part(watch, root, rules, split="val"))
    rules = {label: Rules(r.weights, r.usual, gate) for label, r in rules.items()}
    test = see_part(watch, root, rules, split="test")
    softened = watch.see([one.item for one in test.boxed], note="boxed-test", softened=True)
    metrics = {
        **measure(test, softened, rules, gate=gate, points=points),
        "chance": chance_hits([one.item for one in test.boxed], named(train_films)),
        BESIDE_MAPS: boxes_beside_maps(watch, root),
        "gate_on_val": table,
        "gate": gate,
        "thresholds": {label: round(mark, 4) for label, mark in points[gate].items()},
        "read_with": {
            member: helper.bundle.spec.version
            for member, helper in (("classifier", watch.classifier), ("anatomy", watch.anatomy))
        },
        **trained,
    }
    state = {"size": config["size"], "exponent": network.exponent, "state": network.state_dict()}
    keep_checkpoint("detector", version, state)
    return write_bundle(
        "detector",
        version,
        network,
        contract=make_contract(config, network, points[gate], rules),
        evidence=tell(metrics),
        weights=weights,
    )
