"""Whether films and results here still look like those that a release was validated on."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

BINS = 10
# Below this many films chance alone moves the index too far: at 200 its mean without any drift
# is 9 · (1/200 + 1/300) = 0.08, its standard deviation 0.04.
FEWEST = 200
# Customary bound of the population stability index for a shift that needs a hand.
ALARM = 0.25
# A share of no film at all would make the index infinite.
LEAST_SHARE = 0.002


class State(StrEnum):
    """What the index says."""

    STEADY = "steady"
    DRIFTED = "drifted"
    TOO_FEW = "too_few"


@dataclass(frozen=True)
class Drift:
    """One quantity: shares of films in the reference's ten bins, and the index.

    index: population stability index, 0 for no difference; None below FEWEST films
    """

    quantity: str
    films: int
    shares: tuple[float, ...]
    index: float | None
    state: State


def deciles_of(values: Sequence[float]) -> list[float]:
    """Return the nine inner deciles of the values, linear between neighbours.

    raises: ValueError where there are fewer than ten values
    """
    if len(values) < BINS:
        raise ValueError("deciles need ten values")
    ordered = sorted(values)
    found = []
    for tenth in range(1, BINS):
        place = tenth * (len(ordered) - 1) / BINS
        low = math.floor(place)
        high = min(low + 1, len(ordered) - 1)
        found.append(ordered[low] + (place - low) * (ordered[high] - ordered[low]))
    return found


def drift_of(quantity: str, values: Sequence[float], deciles: Sequence[float]) -> Drift:
    """Compare values with a reference that has a tenth of its films in each bin.

    deciles: the nine inner deciles of the reference, ascending
    source: population stability index, sum of (p - q) · ln(p / q)
    """
    counts = [0] * BINS
    for value in values:
        counts[bisect_right(deciles, value)] += 1
    total = max(len(values), 1)
    shares = tuple(count / total for count in counts)
    if len(values) < FEWEST:
        return Drift(quantity, len(values), shares, None, State.TOO_FEW)
    expected = 1 / BINS
    held = [max(share, LEAST_SHARE) for share in shares]
    index = sum((share - expected) * math.log(share / expected) for share in held)
    state = State.DRIFTED if index > ALARM else State.STEADY
    return Drift(quantity, len(values), shares, index, state)
