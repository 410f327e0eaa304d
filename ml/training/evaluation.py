"""The command evaluate: measures the release again, and writes table and curves of docs/models.md.

What is found is held against the figures that lie beside the graphs; the page is written from the
stored ones, which a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ml.bundle import Bundle, Release, load_release
from ml.classify import calibrate
from ml.training.classifier_report import films_of, logits_of
from ml.training.documents import PAGE, update_page
from ml.training.goals import goal_lines, stored_figures
from ml.training.papers import figures_of
from ml.training.plots import write_curves
from ml.training.remeasure import AGAIN
from ml.training.targets import published_truth
from ml.vocabulary import ABNORMAL, CLASSIFIER_LABELS

TOLERANCE = 0.005  # by which engines of other processors may differ
CURVES = Path("docs/img")


def differences(stored: Mapping[str, Any], again: Mapping[str, Any], path: str = "") -> list[str]:
    """Name the figures that were found otherwise than they are stored."""
    found = []
    for name, value in again.items():
        label = f"{path} · {name}" if path else str(name)
        if name not in stored:
            found.append(f"{label}: not stored")
        elif isinstance(value, Mapping) and isinstance(stored[name], Mapping):
            found += differences(stored[name], value, label)
        elif _number(value) and _number(stored[name]):
            apart = abs(float(value) - float(stored[name]))
            if apart > TOLERANCE * max(1.0, abs(float(value))):
                found.append(f"{label}: stored {stored[name]}, found {value}")
    return found


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def draw_curves(bundle: Bundle, data: Path, *, folder: Path = CURVES) -> list[Path]:
    """Draw the classifier's curves on the test films; returns the files."""
    films = films_of(data, "test")
    logits, truth = logits_of(bundle, films), published_truth(films)
    stored = stored_figures(bundle)
    errors = stored["calibration error on test"]
    areas = dict(stored["AUC on test"])
    areas[ABNORMAL] = areas.pop("any finding")
    has_it, given = {}, {}
    for column, label in enumerate(CLASSIFIER_LABELS):
        if 0 < truth[:, column].mean() < 1:
            by = bundle.spec.calibration[label]
            has_it[label] = truth[:, column]
            given[label] = np.array([calibrate(float(v), by) for v in logits[:, column]])
    notes = {
        "roc": {
            label: f"AUC {area['value']:.3f}" for label, area in areas.items() if label in has_it
        },
        "precision-recall": {k: f"{int(v.sum())} of {len(v)} films" for k, v in has_it.items()},
        "reliability": {k: f"error {errors[k]:.3f}" for k in has_it},
    }
    return write_curves(has_it, given, notes, folder=folder)


def evaluate(networks: tuple[str, ...], *, data: Path) -> None:
    """Measure networks of the newest release again and print what was found.

    networks: all members stand for the release: then table, curves and page are written too
    """
    release = load_release()
    figures: dict[str, Mapping[str, Any]] = {}
    for name in networks:
        if name in AGAIN and name in release.bundles:
            figures[name] = AGAIN[name](release.bundles, data)
            print_figures(name, figures[name])
            stored = stored_figures(release.bundles[name])
            for line in differences(stored, figures[name]):
                print(f"  differs · {line}")
    print("\n".join(["", *goal_lines({**_stored_rest(release, networks), **figures})]), flush=True)
    if set(AGAIN) <= set(networks):
        for path in draw_curves(release.bundles["classifier"], data):
            print(path)
        if PAGE.exists():
            update_page(release)


def _stored_rest(release: Release, networks: tuple[str, ...]) -> dict[str, Mapping[str, Any]]:
    """Stored figures of the asked networks that are not measured again here."""
    return {
        name: stored_figures(bundle)
        for name, bundle in release.bundles.items()
        if name in networks and name not in AGAIN
    }


def print_figures(name: str, figures: Mapping[str, Any]) -> None:
    """Print nested figures as lines of name and value."""
    print(f"\n{name}")
    for label, value in figures_of(figures):
        print(f"  {label:<70} {value}")
