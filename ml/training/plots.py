"""Draws curves as small SVG files: receiver operating, precision-recall and reliability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

SIDE, GAP, TOP = 120, 46, 40  # px of a panel, between panels, above the first row
COLUMNS = 5
BINS = 10
POINTS = 60  # along a curve, which keeps files small


@dataclass(frozen=True)
class Panel:
    """One small plot with both axes in 0..1.

    curve: [N, 2] x and y, N at least 1; beside: height of a dashed line, None for the diagonal
    dots: whether the points are marked
    """

    title: str
    note: str
    curve: np.ndarray
    beside: float | None = None
    dots: bool = False


def thin(curve: np.ndarray, points: int = POINTS) -> np.ndarray:
    """At most about `points` points of a curve [N, 2], evenly along its length, ends kept."""
    if len(curve) <= points:
        return curve
    length = np.concatenate([[0], np.cumsum(np.abs(np.diff(curve, axis=0)).sum(1))])
    rows = np.searchsorted(length, np.linspace(0, length[-1], points))
    return curve[np.unique(np.clip(rows, 0, len(curve) - 1))]


def receiver_curve(truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    """False and true positive rates, [N, 2], from (0, 0) to (1, 1); equal scores are one step."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    hit = truth[order].astype(bool)
    true, false = np.cumsum(hit)[last], np.cumsum(~hit)[last]
    rates = np.stack([false / max(false[-1], 1), true / max(true[-1], 1)], 1)
    return np.concatenate([[[0.0, 0.0]], rates])


def precision_curve(truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Recall and precision, [N, 2], by falling score; equal scores are one step."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    hits = np.cumsum(truth[order].astype(bool))[last]
    seen = np.flatnonzero(last) + 1
    return np.stack([hits / max(hits[-1], 1), hits / seen], 1)


def reliability_curve(truth: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Mean probability and observed share in BINS bins of equal count, [BINS, 2]."""
    parts = np.array_split(np.argsort(probability, kind="stable"), BINS)
    return np.array([[probability[p].mean(), truth[p].mean()] for p in parts if p.size])


def _panel(panel: Panel, left: int, top: int) -> list[str]:
    def place(x: float, y: float) -> tuple[float, float]:
        return round(left + SIDE * x, 1), round(top + SIDE * (1 - y), 1)

    ends = ((0, 0), (1, 1)) if panel.beside is None else ((0, panel.beside), (1, panel.beside))
    (x0, y0), (x1, y1) = (place(*end) for end in ends)
    points = [place(float(x), float(y)) for x, y in thin(panel.curve)]
    line = " ".join(f"{x},{y}" for x, y in points)
    parts = [
        f'<text x="{left}" y="{top - 16}" class="t">{escape(panel.title)}</text>',
        f'<text x="{left}" y="{top - 4}" class="n">{escape(panel.note)}</text>',
        f'<rect x="{left}" y="{top}" width="{SIDE}" height="{SIDE}" class="f"/>',
        f'<line x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}" class="d"/>',
        f'<polyline points="{line}" class="c"/>',
    ]
    if panel.dots:
        parts += [f'<circle cx="{x}" cy="{y}" r="2" class="p"/>' for x, y in points]
    return parts


STYLE = (
    "text{font:10px sans-serif;fill:#333}.t{font-weight:bold}.n{fill:#666}"
    ".f{fill:#fff;stroke:#bbb}.d{stroke:#bbb;stroke-dasharray:3 3}"
    ".c{fill:none;stroke:#0b5c8a;stroke-width:1.5}.p{fill:#0b5c8a}"
)


def draw(panels: Sequence[Panel], *, across: str, up: str) -> str:
    """Draw panels in rows; across, up: what the axes of all of them show."""
    rows = -(-len(panels) // COLUMNS)
    width = GAP + COLUMNS * (SIDE + GAP)
    height = TOP + rows * (SIDE + GAP) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'role="img"><style>{STYLE}</style>',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for index, panel in enumerate(panels):
        row, column = divmod(index, COLUMNS)
        left, top = GAP + column * (SIDE + GAP), TOP + row * (SIDE + GAP)
        parts += _panel(panel, left, top)
    parts.append(f'<text x="{GAP}" y="{height - 8}">across: {escape(across)}; up: {escape(up)}; '
                 "both axes from 0 to 1</text></svg>")  # fmt: skip
    return "\n".join(parts) + "\n"


def write_curves(
    truth: Mapping[str, np.ndarray],
    probability: Mapping[str, np.ndarray],
    notes: Mapping[str, Mapping[str, str]],
    *,
    folder: Path,
) -> list[Path]:
    """Write roc.svg, precision-recall.svg and reliability.svg.

    truth, probability: label → [N]; notes: file's stem → label → what stands under its title
    """
    folder.mkdir(parents=True, exist_ok=True)
    made: dict[str, tuple[list[Panel], str, str]] = {
        "roc": ([], "1 − specificity", "sensitivity"),
        "precision-recall": ([], "sensitivity", "share of the alerts that are right"),
        "reliability": ([], "probability given", "share observed"),
    }
    for label, has_it in truth.items():
        given, said = probability[label], {k: v.get(label, "") for k, v in notes.items()}
        title = label.replace("_", " ")
        made["roc"][0].append(Panel(title, said.get("roc", ""), receiver_curve(has_it, given)))
        made["precision-recall"][0].append(
            Panel(title, said.get("precision-recall", ""), precision_curve(has_it, given),
                  beside=float(has_it.mean()))
        )  # fmt: skip
        curve = reliability_curve(has_it, given)
        made["reliability"][0].append(Panel(title, said.get("reliability", ""), curve, dots=True))
    paths = []
    for stem, (panels, across, up) in made.items():
        paths.append(folder / f"{stem}.svg")
        paths[-1].write_text(draw(panels, across=across, up=up))
    return paths
