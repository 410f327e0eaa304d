"""Measures the answer abnormal: against No Finding, against radiologists, and what it may clear.

Films of the list of normals are stored at 224 px. Wherever they take part, all films pass through
the same 224 px and back first, so that sharpness can't win.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.bundle import Calibration
from ml.classify import calibrate
from ml.training.classifier_fit import Points
from ml.training.data import Film
from ml.training.metrics import bootstrap, roc_auc
from ml.training.proportions import clopper_pearson
from ml.vocabulary import ABNORMAL, CLASSIFIER_LABELS, NAMES

NPV = 0.97
FEWEST_CLEARED = 30  # on which a negative predictive value is believed
TOLD_APART = "two lists of normal films told apart, through 224 px (0.5 is right)"
FALSE_ALARMS = "false alarms on films that radiologists read as normal"
FALSE_ALARMS_SHARP = f"{FALSE_ALARMS}, 448 px"
COLUMN = CLASSIFIER_LABELS.index(ABNORMAL)


@dataclass(frozen=True)
class Scored:
    """Films with their logits [N, L]."""

    films: Sequence[Film]
    logits: np.ndarray

    def where(self, rows: Sequence[bool]) -> Scored:
        """The films for which rows is true."""
        chosen = [film for film, inside in zip(self.films, rows, strict=True) if inside]
        return Scored(chosen, self.logits[np.array(rows, bool)])

    def area(self, truth: Sequence[bool]) -> dict[str, Any]:
        """Area under the ROC curve of the answer abnormal, and how many films."""
        patients = [film.patient for film in self.films]
        score = self.logits[:, COLUMN]
        area = bootstrap(roc_auc, np.array(truth), score, groups=patients).rounded()
        return {"films": len(self.films), "AUC": area}


def join(*parts: Scored) -> Scored:
    """All films of several lists."""
    films = [film for part in parts for film in part.films]
    return Scored(films, np.concatenate([part.logits for part in parts]))


def _against_normal(scored: Scored) -> dict[str, Any]:
    """Films that radiologists read as opacity against those that they read as normal."""
    read = scored.where([film.reading in ("opacity", "normal") for film in scored.films])
    if len({film.reading for film in read.films}) < 2:
        return {}
    return read.area([film.reading == "opacity" for film in read.films])


def lists_told_apart(films: Scored, normals: Scored) -> dict[str, Any]:
    """Area with which the answer abnormal tells two lists of normal films apart; 0.5 is right.

    Radiologists read the films of both as normal, so what is beyond 0.5 was won by how the films of
    one list were stored, and flatters every figure in which both lists take part.
    """
    both = join(films.where([film.reading == "normal" for film in films.films]), normals)
    truth = [film.source == "films" for film in both.films]
    return both.area(truth) if 0 < sum(truth) < len(truth) else {}


def clearing_threshold(logits: np.ndarray, abnormal: np.ndarray, *, npv: float = NPV) -> float:
    """The highest logit below which at least this share of films is not abnormal.

    returns: -inf where no threshold that clears FEWEST_CLEARED films does
    """
    order = np.argsort(logits, kind="stable")
    fine = np.cumsum(~abnormal[order]) / np.arange(1, len(order) + 1)
    counts = np.flatnonzero((fine >= npv) & (np.arange(1, len(order) + 1) >= FEWEST_CLEARED))
    return float(logits[order][counts[-1]]) if counts.size else float("-inf")


def _cleared(val: Scored, test: Scored, truth: Any) -> dict[str, Any]:
    """What a threshold fitted on val clears on test; truth(film) says whether it is abnormal."""
    fitted = np.array([truth(film) for film in val.films], bool)
    threshold = clearing_threshold(val.logits[:, COLUMN], fitted)
    abnormal = np.array([truth(film) for film in test.films], bool)
    below = test.logits[:, COLUMN] <= threshold
    figures: dict[str, Any] = {
        "films": len(test.films),
        "share abnormal": round(float(abnormal.mean()), 4),
        "cleared": clopper_pearson(int(below.sum()), len(below)),
    }
    if below.any():
        figures["of the cleared, not abnormal"] = clopper_pearson(
            int((below & ~abnormal).sum()), int(below.sum())
        )
    return figures


def _read(scored: Scored) -> Scored:
    return scored.where([bool(film.reading) for film in scored.films])


def false_alarms(
    normals: Scored, calibration: Mapping[str, Calibration], points: Points
) -> dict[str, float]:
    """Alerts on films that radiologists read as normal; normals: one film at least."""
    alerts = {name: points[name]["alert"].threshold for name in (*NAMES, ABNORMAL)}
    above = np.array(
        [
            [
                calibrate(float(row[CLASSIFIER_LABELS.index(name)]), calibration[name]) >= alert
                for name, alert in alerts.items()
            ]
            for row in normals.logits
        ]
    )
    findings = above[:, : len(NAMES)]
    return {
        "films": len(normals.films),
        "alerts of findings per 100 films": round(100 * float(findings.sum(1).mean()), 1),
        "films of 100 with an alert of any finding": round(100 * float(findings.any(1).mean()), 1),
        "films of 100 above the alert of abnormal": round(100 * float(above[:, -1].mean()), 1),
    }


def labelled(film: Film) -> bool:
    """Does the film carry any mined label."""
    return bool(film.labels)


def not_normal(film: Film) -> bool:
    """Did radiologists read the film otherwise than as normal."""
    return film.reading != "normal"


def measure_abnormal(
    plain: Mapping[str, Scored],
    softened: Mapping[str, Scored],
    *,
    calibration: Mapping[str, Calibration],
    points: Points,
) -> dict[str, Any]:
    """All figures of the answer abnormal.

    plain: val and test films as they are; softened: val, test and, where there are any,
    val normals and test normals, all passed through 224 px
    """
    test = plain["test"]
    figures: dict[str, Any] = {
        "any label against No Finding": test.area([labelled(film) for film in test.films]),
        "any label against No Finding, through 224 px": softened["test"].area(
            [labelled(film) for film in softened["test"].films]
        ),
        "RSNA's opacity against normal, 448-px films": _against_normal(test),
        "cleared at an NPV of 0.97 on val, by mined labels": _cleared(plain["val"], test, labelled),
    }
    sharp = test.where([film.reading == "normal" for film in test.films])
    if sharp.films:
        figures[FALSE_ALARMS_SHARP] = false_alarms(sharp, calibration, points)
    if "test normals" not in softened:
        return figures
    everyone = {
        split: join(softened[split], softened[f"{split} normals"]) for split in ("val", "test")
    }
    figures[TOLD_APART] = lists_told_apart(softened["test"], softened["test normals"])
    figures["RSNA's opacity against normal, all through 224 px"] = _against_normal(everyone["test"])
    figures["cleared at an NPV of 0.97 on val, by RSNA's reading, all through 224 px"] = _cleared(
        _read(everyone["val"]), _read(everyone["test"]), not_normal
    )
    figures[FALSE_ALARMS] = false_alarms(softened["test normals"], calibration, points)
    return figures
