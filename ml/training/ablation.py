"""Measures what each single change of the classifier's training is worth, at one fixed budget.

Every change is a small TOML file in `ml/training/ablation`; its tables are laid over `base.toml`,
which is laid over the classifier's own config. A fold of the training patients is left out of all
runs alike; val and that fold together are what is measured. Figures go into a JSON file beside the
TOML file; a run that was cut off goes on, and one that has its figures is not run again.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml.training.ablation_table import BASE, FOLDER
from ml.training.classifier import CONFIG, Config, Training, read_config, steps_of
from ml.training.classifier_network import infer
from ml.training.data import CACHE, Film, cache_prepared
from ml.training.device import CPU
from ml.training.folds import kept_logits
from ml.training.loop import CHECKPOINTS
from ml.training.metrics import bootstrap, mean_auc, roc_auc
from ml.training.targets import truth_of
from ml.vocabulary import ABNORMAL, CLASSIFIER_LABELS, NAMES

SAVE_EVERY = 1024  # films
ROUNDS = 300


def lay_over(config: Mapping[str, Any], change: Mapping[str, Any]) -> Config:
    """Give a config in which the change's keys take the place of the config's own."""
    tables = {name: dict(table) for name, table in config.items()}
    for name, table in change.items():
        if isinstance(table, Mapping):
            tables.setdefault(name, {}).update(table)
    return tables


def config_of(name: str, *, folder: Path = FOLDER) -> Config:
    """The whole config of one change.

    raises: FileNotFoundError where there is no change of this name
    """
    config = lay_over(read_config(CONFIG), tomllib.loads((folder / "base.toml").read_text()))
    return lay_over(config, tomllib.loads((folder / f"{name}.toml").read_text()))


def run(
    name: str, *, data: Path, folder: Path = FOLDER, device: torch.device = CPU
) -> dict[str, Any]:
    """Train with one change and store its figures; the base is run before where it is missing."""
    stored = folder / f"{name}.json"
    if stored.exists():
        figures: dict[str, Any] = json.loads(stored.read_text())
        return figures
    if name != BASE:
        run(BASE, data=data, folder=folder, device=device)
    training = _train(name, data=data, folder=folder, device=device)
    films = [*training.val, *training.left_out]
    logits = _logits(training, films)
    _keep(name, films, logits)
    figures = _figures(name, films, logits, val=len(training.val))
    figures["films seen"] = training.seen
    stored.write_text(json.dumps(figures, indent=1) + "\n")
    return figures


def _train(name: str, *, data: Path, folder: Path, device: torch.device) -> Training:
    checkpoints = CHECKPOINTS / "ablation" / name
    training = Training(config_of(name, folder=folder), data, checkpoints, device)
    training.resume()
    saved = training.seen
    for _ in steps_of(training, minutes=None):
        if training.seen - saved >= SAVE_EVERY:
            saved = training.seen
            training.save("last.pt")
    training.exported = "average"
    training.save("last.pt")
    return training


def _logits(training: Training, films: Sequence[Film]) -> np.ndarray:
    """Logits of the moving average, mean with the mirrored film; returns [N, L] float32."""
    network = training.config["network"]
    pixels = cache_prepared(
        [film.path for film in films],
        size=network["size"],
        number=network["preprocessing"],
        note="ablation",
    )
    return infer(training.average, pixels, network, mirrored=True)


def _kept(name: str) -> Path:
    return CACHE / "ablation" / f"{name}.npz"


def _keep(name: str, films: Sequence[Film], logits: np.ndarray) -> None:
    _kept(name).parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(_kept(name), films=np.array([film.name for film in films]), logits=logits)


def _figures(name: str, films: Sequence[Film], logits: np.ndarray, *, val: int) -> dict[str, Any]:
    truth = truth_of(films)[:, : len(NAMES)]
    scores = logits[:, : len(NAMES)]
    patients = [film.patient for film in films]
    figures: dict[str, Any] = {
        "films": {"val": val, "left out of training": len(films) - val},
        "mean AUC of 13": bootstrap(
            mean_auc, truth, scores, groups=patients, rounds=ROUNDS
        ).rounded(),
        "on val alone": round(mean_auc(truth[:val], scores[:val]), 4),
        "any label against No Finding": bootstrap(
            roc_auc,
            np.array([bool(film.labels) for film in films]),
            logits[:, CLASSIFIER_LABELS.index(ABNORMAL)],
            groups=patients,
            rounds=ROUNDS,
        ).rounded(),
    }
    base = kept_logits(BASE, folder=CACHE)
    if name != BASE and all(film.name in base for film in films):
        theirs = np.stack([base[film.name] for film in films])[:, : len(NAMES)]
        both = np.concatenate([scores, theirs], 1)
        figures["more than the base"] = bootstrap(
            _gain, truth, both, groups=patients, rounds=ROUNDS
        ).rounded()
    return figures


def _gain(truth: np.ndarray, both: np.ndarray) -> float:
    ours, theirs = both[:, : len(NAMES)], both[:, len(NAMES) :]
    return mean_auc(truth, ours) - mean_auc(truth, theirs)
