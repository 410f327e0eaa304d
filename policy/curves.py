"""What a classifier does at any threshold, from the points that its release keeps.

Between two measured points sensitivity and specificity run straight; a release without
curves keeps three points for each finding.
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

from ml import bundle, classify
from ml.bundle import OperatingPoint
from ml.vocabulary import NAMES

ENDS = ((0.0, 1.0, 0.0), (1.0, 0.0, 1.0))


@dataclass(frozen=True)
class Effect:
    """What a threshold does to this site's films.

    alerts_per_100: films of 100 that are marked; true_per_100: of 100 marked, how many have it
    """

    threshold: float
    sensitivity: float
    specificity: float
    alerts_per_100: float
    true_per_100: float | None


@lru_cache(maxsize=4)
def installed(release: str) -> bundle.Release:
    """Load a release once; every byte is checked on loading. raises: bundle.ReleaseError"""
    return bundle.load_release(release)


def points_of(release: bundle.Release, code: str) -> list[tuple[float, float, float]]:
    """Return threshold, sensitivity and specificity, by ascending threshold, from 0 to 1."""
    spec = release.bundles["classifier"].spec
    curve = spec.settings.get("curves", {}).get(code)
    if curve is None:
        named = spec.operating_points.get(code, {}).values()
        curve = [
            (p.threshold, p.sensitivity, p.specificity)
            for p in named
            if p.sensitivity is not None and p.specificity is not None
        ]
    inner = [(float(t), float(se), float(sp)) for t, se, sp in curve if 0.0 < t < 1.0]
    return [ENDS[0], *sorted(inner), ENDS[1]]


def effect_of(release: bundle.Release, code: str, threshold: float, *, prevalence: float) -> Effect:
    """Return what a threshold does.

    threshold: probability, 0..1; prevalence: share of this site's films with the disease, 0..1
    """
    sensitivity, specificity = _between(points_of(release, code), threshold)
    point = OperatingPoint(threshold, sensitivity, specificity)
    alerts = classify.alerts_in_100(point, prevalence)
    true = classify.true_in_100(point, prevalence)
    return Effect(threshold, sensitivity, specificity, alerts or 0.0, true)


def stated_prevalence(release: bundle.Release, code: str) -> float:
    """Return the share of films with the disease that the release states."""
    return release.bundles["classifier"].spec.prevalence[code]


def own_thresholds(release: bundle.Release) -> dict[str, float]:
    """Return the thresholds that the release itself brings."""
    return {code: release.operating_points[code].threshold for code in NAMES}


def _between(points: list[tuple[float, float, float]], threshold: float) -> tuple[float, float]:
    """Interpolate along the curve."""
    place = bisect_right([point[0] for point in points], threshold)
    if place >= len(points):
        return points[-1][1:]
    low, high = points[place - 1], points[place]
    share = (threshold - low[0]) / (high[0] - low[0]) if high[0] > low[0] else 0.0
    return (
        low[1] + share * (high[1] - low[1]),
        low[2] + share * (high[2] - low[2]),
    )
