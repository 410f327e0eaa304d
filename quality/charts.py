"""Places of bars in drawings of a fixed size; the templates draw them as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 560, 96
GAP = 2


@dataclass(frozen=True)
class Bar:
    """One bar; all numbers are units of the drawing. title: what it says when pointed at."""

    x: float
    y: float
    width: float
    height: float
    title: str = ""
    kind: str = ""


def columns(values: Sequence[float | None], titles: Sequence[str]) -> tuple[list[Bar], float]:
    """Return one column for each value, none where there is none, and the highest value."""
    top = max((value for value in values if value is not None), default=0.0)
    step = WIDTH / max(len(values), 1)
    bars = []
    for place, (value, title) in enumerate(zip(values, titles, strict=True)):
        if value is None:
            continue
        height = max(HEIGHT * value / top, 1.5) if top else 1.5
        x = round(place * step + GAP / 2, 2)
        bars.append(
            Bar(x, round(HEIGHT - height, 2), round(step - GAP, 2), round(height, 2), title)
        )
    return bars, top


def shares(parts: Sequence[tuple[str, int]], *, width: float, height: float) -> list[Bar]:
    """Return bars beside each other that fill the width by their shares.

    parts: kind and count
    """
    total = sum(count for _kind, count in parts) or 1
    bars, x = [], 0.0
    for kind, count in parts:
        if count:
            bars.append(Bar(round(x, 2), 0, round(width * count / total, 2), height, kind=kind))
        x += width * count / total
    return bars


def histogram(
    values: Sequence[float], *, expected: float, width: float, height: float
) -> list[Bar]:
    """Return small columns of shares; one that is the expected share reaches half the height."""
    step = width / len(values)
    bars = []
    for place, share in enumerate(values):
        tall = max(min(height * share / (2 * expected), height), 1)
        bars.append(
            Bar(round(place * step, 2), round(height - tall, 2), round(step - 1, 2), round(tall, 2))
        )
    return bars
