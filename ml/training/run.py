"""What the commands train, evaluate, export and calibrate do, for every network."""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.bundle import OPTIONAL, REQUIRED, WEIGHTS, Bundle, load_release
from ml.training.ablation_table import changes
from ml.training.data import SHARED, LayoutError
from ml.training.device import DeviceError, choose_device
from ml.training.documents import PAGE, update_page
from ml.training.loop import CHECKPOINTS, CONFIGS, configs_of, load_config
from ml.training.papers import newest_version, write_release


@dataclass(frozen=True)
class Network:
    """Modules of one network: `train(config, root=, threads=)` and `export(config, version, …)`."""

    train: str
    export: str


NETWORKS: dict[str, Network] = {
    "detector": Network("ml.training.detector", "ml.training.detector_release"),
    "unet": Network("ml.training.anomaly", "ml.training.anomaly_report"),
    "reversed_ae": Network("ml.training.anomaly", "ml.training.anomaly_report"),
    "anatomy": Network("ml.training.anatomy", "ml.training.anatomy_report"),
    "gate": Network("ml.training.gate", "ml.training.gate_report"),
    "paediatric": Network("ml.training.paediatric", "ml.training.paediatric_report"),
}
EXTRAS = ("robustness", "yardstick", "children", "hours")  # stored under ml/training/measured
CLASSIFIER_PARTS = ("classifier", "classifier_320", "classifier_lungs", "classifier_lungs_320")
GROUPS = {"anomaly": ("unet", "reversed_ae"), "release": REQUIRED}


def main(arguments: argparse.Namespace) -> int:
    """Run one command of ml.cli; returns the exit status."""
    commands = {"train": train, "evaluate": evaluate, "export": export, "calibrate": calibrate}
    arguments.data = arguments.data or SHARED
    if not arguments.data.is_dir():
        print(f"no folder of films at {arguments.data}; name one with --data")
        return 2
    try:
        commands[arguments.command](arguments)
    except (LayoutError, FileNotFoundError, DeviceError) as error:
        print(error)
        return 2
    return 0


def train(arguments: argparse.Namespace) -> None:
    """Train all parts of a network, or both anomaly networks; goes on where a run was cut off."""
    import torch

    torch.set_num_threads(arguments.threads)
    device = choose_device(arguments.device)
    print(f"training on {device}", flush=True)
    if arguments.ablation is not None:
        _ablate(arguments, device)
        return
    for name in GROUPS.get(arguments.network, (arguments.network,)):
        if name == "classifier":
            _train_classifier(arguments, device)
            continue
        if arguments.minutes is not None:
            print(f"--minutes is for the classifier; {name} follows the epochs of its config")
        module: Any = importlib.import_module(NETWORKS[name].train)
        named = arguments.config
        parts = configs_of(load_config(name)) if named is None else [load_config(str(named))]
        for config in parts:
            module.train(config, root=arguments.data, threads=arguments.threads, device=device)


def _train_classifier(arguments: argparse.Namespace, device: Any) -> None:
    """Train the classifier's parts one after the other, or the one that --config names."""
    classifier: Any = importlib.import_module("ml.training.classifier")
    parts = [CONFIGS / f"{part}.toml" for part in CLASSIFIER_PARTS]
    configs = parts if arguments.config is None else [arguments.config]
    minutes = None if arguments.minutes is None else arguments.minutes / len(configs)
    for config in configs:
        best = classifier.train(
            classifier.read_config(config),
            data=arguments.data,
            folder=CHECKPOINTS / config.stem,
            minutes=minutes,
            device=device,
        )
        print(f"best on val: {best}")


def _ablate(arguments: argparse.Namespace, device: Any) -> None:
    """Run one change of the ablation table, or all that have no figures yet."""
    if arguments.network != "classifier":
        raise LayoutError("the ablation table is of the classifier alone")
    ablation: Any = importlib.import_module("ml.training.ablation")
    known = changes()
    wanted = known if arguments.ablation == "all" else [arguments.ablation]
    if unknown := [name for name in wanted if name not in known]:
        raise LayoutError(f"no change named {unknown[0]}; there are {', '.join(known)}")
    for name in wanted:
        print(name, json.dumps(ablation.run(name, data=arguments.data, device=device)), flush=True)


def export_network(
    name: str,
    version: str,
    *,
    data: Path,
    weights: Path = WEIGHTS,
    checkpoints: Sequence[Path] | None = None,
) -> Bundle:
    """Fit operating points, measure and export what the last training of a network left.

    checkpoints: of the classifier alone, others than the best of its runs
    """
    if name == "classifier":
        classifier: Any = importlib.import_module("ml.training.classifier_export")
        bundle: Bundle = classifier.export(
            version, data=data, weights=weights, checkpoints=checkpoints
        )
        return bundle
    module: Any = importlib.import_module(NETWORKS[name].export)
    exported: Bundle = module.export(load_config(name), version, root=data, weights=weights)
    return exported


def evaluate(arguments: argparse.Namespace) -> None:
    """Measure the newest release again on the test films; of all networks, write the page too.

    With a version, what was found of the newest bundles is written as that version of theirs.
    """
    if arguments.network in EXTRAS:
        extra: Any = importlib.import_module(f"ml.training.{arguments.network}")
        print(json.dumps(extra.write(arguments.data), indent=1))
        return
    evaluation: Any = importlib.import_module("ml.training.evaluation")
    networks = GROUPS.get(arguments.network, (arguments.network,))
    if arguments.version is not None:
        again: Any = importlib.import_module("ml.training.remeasure")
        for name in networks:
            print(again.write_again(name, arguments.version, data=arguments.data))
        return
    if arguments.network == "release":
        networks = (*networks, *OPTIONAL)
    evaluation.evaluate(networks, data=arguments.data)


def export(arguments: argparse.Namespace) -> None:
    """Export one network as a version, or bind the newest version of each into a release."""
    if arguments.network == "release":
        members = {name: newest_version(name) for name in REQUIRED}
        members |= {name: newest_version(name) for name in OPTIONAL if (WEIGHTS / name).is_dir()}
        print(write_release(arguments.version, members))
        if PAGE.exists():
            update_page(load_release(arguments.version))
        return
    for name in GROUPS.get(arguments.network, (arguments.network,)):
        exported = export_network(
            name, arguments.version, data=arguments.data, checkpoints=arguments.checkpoint
        )
        print(exported.folder)


def calibrate(arguments: argparse.Namespace) -> None:
    """Fit calibration and operating points again as a new version; weights stay as they are."""
    for name in GROUPS.get(arguments.network, (arguments.network,)):
        if name == "classifier":
            print(_calibrate_classifier(arguments))
            continue
        print(export_network(name, arguments.version, data=arguments.data).folder)


def _calibrate_classifier(arguments: argparse.Namespace) -> Path:
    """Fit to this project's films, or to a folder of a site's own labelled films."""
    newest = newest_version("classifier")
    if (arguments.data / "nih" / "films.csv").exists():
        report: Any = importlib.import_module("ml.training.classifier_report")
        home: Path = report.recalibrate(newest, arguments.version, data=arguments.data)
        return home
    site: Any = importlib.import_module("ml.training.classifier_site")
    fitted: Path = site.calibrate_on_site(newest, arguments.version, data=arguments.data)
    return fitted
