"""Measures the outline of lungs and heart: Dice on masks, plausibility and ratio on NIH's films."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ml.anatomy import REGIONS, measure_regions
from ml.bundle import WEIGHTS, Bundle
from ml.training.anatomy import (
    AnatomyNetwork,
    MaskedFilm,
    film_dice,
    load_masks,
    outline_films,
    read_masked_films,
)
from ml.training.data import SHARED, cache_prepared, read_layout
from ml.training.export import Contract, Evidence, write_bundle
from ml.training.groups import BY_GROUP, Cases, compare_groups, groups_of, verdict
from ml.training.members import (
    HOURS,
    LICENCE,
    grey_input,
    keep_checkpoint,
    load_last_part,
)
from ml.training.metrics import bootstrap, roc_auc
from ml.training.proportions import clopper_pearson
from ml.training.storing import round_weights


def interval_of_mean(values: Sequence[float]) -> dict[str, float]:
    """A mean over films with its 95 % bootstrap interval."""
    array = np.asarray(values, float)
    return bootstrap(lambda truth, _: float(truth.mean()), array, array).rounded()


def measure_masks(
    network: nn.Module, films: Sequence[MaskedFilm], *, size: int, number: int
) -> dict[str, Any]:
    """Dice over masked films, and how many of them look plausible."""
    pixels = cache_prepared([f.path for f in films], size=size, number=number, note="masked-test")
    masks = load_masks(films, size=size)
    regions = outline_films(network, pixels)
    scores = [film_dice(found, mask) for found, mask in zip(regions, masks, strict=True)]
    result: dict[str, Any] = {"films": len(films)}
    for part in ("lungs", "heart"):
        result[f"dice_{part}"] = interval_of_mean([score[part] for score in scores])
        for collection in sorted({f.collection for f in films}):
            own = [
                s[part] for s, f in zip(scores, films, strict=True) if f.collection == collection
            ]
            result[f"dice_{part}_{collection}"] = interval_of_mean(own)
    return result


def chance_dice(
    films: Sequence[MaskedFilm], train: Sequence[MaskedFilm], *, size: int
) -> dict[str, float]:
    """Dice of the mean training outline, laid unchanged over every test film."""
    masks = load_masks(train, size=size)
    shares = np.stack([(masks == index).mean(0) for index in range(4)])
    mean_outline = shares.argmax(0)
    scores = [film_dice(mean_outline, mask) for mask in load_masks(films, size=size)]
    return {k: round(float(np.mean([s[k] for s in scores])), 4) for k in ("lungs", "heart")}


def measure_nih(
    network: nn.Module, root: Path, *, size: int, number: int, split: str = "test"
) -> dict[str, Any]:
    """Plausible outlines on NIH's films, and the cardiothoracic ratio against Cardiomegaly."""
    films = [f for f in read_layout(root) if f.source == "films" and f.split == split]
    pixels = cache_prepared([f.path for f in films], size=size, number=number, note=f"nih-{split}")
    found = [measure_regions(regions) for regions in outline_films(network, pixels)]
    plausible = np.array([not anatomy.implausible for anatomy in found])
    rows = [i for i, anatomy in enumerate(found) if anatomy.cardiothoracic_ratio is not None]
    enlarged = np.array(["Cardiomegaly" in films[i].labels for i in rows])
    ratio = np.array([found[i].cardiothoracic_ratio for i in rows], float)
    cases = Cases([film.patient for film in films], [groups_of(film) for film in films])
    auc = bootstrap(roc_auc, enlarged, ratio, groups=cases.at(rows).patients)
    return {
        "nih_test": {
            "plausible": clopper_pearson(int(plausible.sum()), len(found)),
            "ratio_auc_cardiomegaly": auc.rounded(),
            "ratio_median": round(float(np.median(ratio)), 4),
        },
        f"plausible outlines on NIH's test films{BY_GROUP}": compare_groups(
            lambda drawn: float(plausible[drawn].mean()), cases, called="share", share=True
        ),
        f"AUC of the ratio for Cardiomegaly{BY_GROUP}": compare_groups(
            lambda drawn: roc_auc(enlarged[drawn], ratio[drawn]), cases.at(rows), called="AUC"
        ),
    }


def measure(network: nn.Module, root: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Everything on `test`."""
    size, number = config["size"], config["preprocessing"]
    films = read_masked_films(root)
    test = [f for f in films if f.split == "test"]
    train = [f for f in films if f.split == "train" and not f.through_heart]
    clean = [f for f in test if not f.through_heart]
    return {
        "anatomy_test": measure_masks(network, test, size=size, number=number),
        "anatomy_test_without_lungs_through_heart": measure_masks(
            network, clean, size=size, number=number
        ),
        "mean_outline_dice": chance_dice(test, train, size=size),
        **measure_nih(network, root, size=size, number=number),
    }


def tell(metrics: dict[str, Any]) -> Evidence:
    """What the card says."""
    return Evidence(
        purpose="Outlines both lungs and the heart, for the cardiothoracic ratio and the share of "
        "the film that the lungs take.",
        training_data="JSRT and Wingspan films with masks (MIT collection), without those whose "
        "lungs are drawn through the heart.",
        licence=LICENCE,
        metrics=metrics,
        limits=[
            "Masks of healthy and of mildly abnormal chests; a lung that is white all over is "
            "often outlined too small.",
            "The ratio is not given where the outline is not plausible.",
            "JSRT and Wingspan do not say age, sex or view, so the Dice is given by collection "
            "only; by group stand what NIH's films can tell: plausible outlines, and the ratio.",
            verdict(metrics),
            HOURS,
        ],
    )


def export(
    config: dict[str, Any], version: str, *, root: Path = SHARED, weights: Path = WEIGHTS
) -> Bundle:
    """Measure and export the outline of a finished training."""
    network = AnatomyNetwork()
    trained = load_last_part(network, config)
    round_weights(network)
    metrics = {**measure(network, root, config), **trained}
    contract = Contract(
        input=grey_input(config["size"]),
        preprocessing=config["preprocessing"],
        labels=(),
        outputs=("regions",),
        operating_points={},
        settings={"regions": list(REGIONS)},
    )
    keep_checkpoint("anatomy", version, {"state": network.state_dict()})
    return write_bundle(
        "anatomy", version, network, contract=contract, evidence=tell(metrics), weights=weights
    )
