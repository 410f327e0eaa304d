"""What the networks of the present release cannot do, in words with its measured figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diagnosis import display, selectors
from diagnosis.measures import child_over_calls, figure_in, measured
from ml import bundle, classify
from ml.bundle import Release
from ml.vocabulary import NAMES
from policy import curves
from policy.selectors import present
from xraydx.errors import UserError


@dataclass(frozen=True)
class DiseaseLimit:
    """One disease: of 100 films with it, how many go unmarked; how many marks are right."""

    name: str
    plain: str
    missed: int | None
    alarms: int | None
    right: int | None
    auc: str


@dataclass(frozen=True)
class Limits:
    """The page's figures; a figure that the release does not state is None."""

    release: str
    diseases: list[DiseaseLimit]
    hit: int | None
    gate_refused: int | None
    gate_films: int | None
    gate_unfit: str
    child_from: float | None
    child_below: float | None
    child_over_calls: int | None
    auc_ap: str
    auc_pa: str


def present_limits() -> Limits | None:
    """The limits of the present release; None where none is installed."""
    try:
        return _limits_of(selectors.current_release())
    except (UserError, bundle.ReleaseError):
        return None


def _limits_of(name: str) -> Limits:
    release = curves.installed(name)
    metrics = {member: measured(held.folder) for member, held in release.bundles.items()}
    hit = figure_in(metrics.get("detector"), "boxed_test", "hit_0.1", "value")
    ages = release.child_ages or (None, None)
    checked = metrics.get("gate"), "good", "nih films", "refused"
    share, films = figure_in(*checked, "value"), figure_in(*checked, "films")
    return Limits(
        release=name,
        diseases=[_disease(code, release, metrics.get("classifier", {})) for code in NAMES],
        hit=None if hit is None else round(100 * hit),
        gate_refused=None if share is None else round(share * (films or 0)),
        gate_films=None if films is None else round(films),
        gate_unfit=_percent(figure_in(metrics.get("gate"), "unfit", "all", "refused", "value")),
        child_from=ages[0],
        child_below=ages[1],
        child_over_calls=child_over_calls(release),
        auc_ap=_auc_of_view("AP", metrics.get("classifier")),
        auc_pa=_auc_of_view("PA", metrics.get("classifier")),
    )


def _disease(code: str, release: Release, metrics: dict[str, Any]) -> DiseaseLimit:
    point = release.operating_points[code]
    prevalence = {**release.bundles["classifier"].spec.prevalence, **present().prevalence}
    share = prevalence.get(code)
    alarms = classify.alerts_in_100(point, share) if share else None
    auc = figure_in(metrics, "AUC on test", code, "value")
    sensitivity = point.sensitivity
    return DiseaseLimit(
        name=display.name_of(code),
        plain=display.plain_of(code),
        missed=None if sensitivity is None else round(100 * (1 - sensitivity)),
        alarms=None if alarms is None else round(alarms),
        right=display.true_in_100(point, share),
        auc="" if auc is None else display.figure(auc),
    )


def _auc_of_view(view: str, metrics: Any) -> str:
    mean = figure_in(metrics, "mean AUC of 13 on test, by group", f"view {view}", "AUC", "value")
    return "" if mean is None else display.figure(mean)


def _percent(share: float | None) -> str:
    return "" if share is None else display.figure(100 * share, 1)
