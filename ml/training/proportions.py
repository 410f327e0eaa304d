"""Shares of films with their exact 95 % interval."""

from __future__ import annotations

from scipy.stats import beta


def clopper_pearson(hits: int, films: int) -> dict[str, float | int]:
    """A share with its exact (Clopper-Pearson) 95 % interval.

    returns: value, low, high in 0..1 and the number of films
    """
    if films == 0:
        return {"value": float("nan"), "low": 0.0, "high": 1.0, "films": 0}
    low = float(beta.ppf(0.025, hits, films - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, films - hits)) if hits < films else 1.0
    return {
        "value": round(hits / films, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "films": films,
    }
