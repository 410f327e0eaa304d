"""Measures the classifier by age band, sex and view, and against labels of several radiologists."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.training.data import Film
from ml.training.metrics import bootstrap, mean_auc, roc_auc
from ml.vocabulary import NAMES

FEWEST = 100  # films of a group, below which 13 areas mean nothing
ROUNDS = 400
# the findings of the adjudicated labels, and those of ours that say the same
ADJUDICATED: dict[str, tuple[str, ...]] = {
    "Pneumothorax": ("Pneumothorax",),
    "Airspace opacity": ("Infiltration", "Consolidation", "Pneumonia", "Atelectasis", "Edema"),
    "Nodule or mass": ("Nodule", "Mass"),
}


def _age_band(age: float | None) -> str:
    if age is None:
        return "age unknown"
    return "under 40 years" if age < 40 else "40 to 59 years" if age < 60 else "60 years or more"


def _mean_13(truth: np.ndarray, score: np.ndarray) -> float:
    return mean_auc(truth[:, : len(NAMES)], score[:, : len(NAMES)])


def _against_the_rest(truth: np.ndarray, score: np.ndarray) -> float:
    """Mean area inside a group less that outside; the last column of score says who is inside."""
    inside = score[:, -1] > 0
    return _mean_13(truth[inside], score[inside]) - _mean_13(truth[~inside], score[~inside])


def by_group(logits: np.ndarray, truth: np.ndarray, films: Sequence[Film]) -> dict[str, Any]:
    """Mean area of the 13 by view, sex, age band and official list, beside that of the rest.

    logits, truth: [N, L]
    """
    names = [
        (f"view {f.view}", f"sex {f.sex}", _age_band(f.age), f"official list {f.official}")
        for f in films
    ]
    patients = [film.patient for film in films]
    figures = {}
    for name in sorted({name for row in names for name in row}):
        rows = np.array([name in row for row in names])
        if not FEWEST <= rows.sum() <= len(rows) - FEWEST:
            continue
        inside = [patient for patient, chosen in zip(patients, rows, strict=True) if chosen]
        marked = np.concatenate([logits, rows[:, None].astype(np.float32)], 1)
        figures[name] = {
            "films": int(rows.sum()),
            "AUC": bootstrap(
                _mean_13, truth[rows], logits[rows], groups=inside, rounds=ROUNDS
            ).rounded(),
            "more than the rest": bootstrap(
                _against_the_rest, truth, marked, groups=patients, rounds=ROUNDS
            ).rounded(),
        }
    return figures


def worse_groups(figures: Mapping[str, Any]) -> list[str]:
    """Groups that are worse than the rest by more than chance allows."""
    return [name for name, found in figures.items() if found["more than the rest"]["high"] < 0]


def read_adjudicated(root: Path) -> dict[str, dict[str, bool]]:
    """Read nih/adjudicated.csv: film → finding → does it show; empty where there is none."""
    path = root / "nih" / "adjudicated.csv"
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        return {
            Path(row["Image Index"]).stem: {name: row[name] == "YES" for name in ADJUDICATED}
            for row in csv.DictReader(file)
        }


def by_radiologists(
    probabilities: np.ndarray, films: Sequence[Film], adjudicated: Mapping[str, Mapping[str, bool]]
) -> dict[str, Any]:
    """Areas on films that several radiologists labelled, beside those by the mined labels.

    probabilities: [N, L] calibrated; several findings of ours are joined as the probability of any
    """
    rows = np.array([film.name in adjudicated for film in films], bool)
    if not rows.any():
        return {}
    chosen = [film for film, inside in zip(films, rows, strict=True) if inside]
    patients = [film.patient for film in chosen]
    figures: dict[str, Any] = {"films": len(chosen)}
    for finding, ours in ADJUDICATED.items():
        columns = [NAMES.index(name) for name in ours]
        score = 1 - np.prod(1 - probabilities[rows][:, columns], axis=1)
        truths = {
            "by radiologists": np.array([adjudicated[film.name][finding] for film in chosen]),
            "by mined labels": np.array([bool(film.labels & set(ours)) for film in chosen]),
        }
        figures[finding] = {
            "films with it, by radiologists": int(truths["by radiologists"].sum()),
            **{
                name: bootstrap(roc_auc, truth, score, groups=patients, rounds=ROUNDS).rounded()
                for name, truth in truths.items()
            },
        }
    return figures
