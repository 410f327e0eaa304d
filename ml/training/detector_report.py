"""Measures the detector: boxes hit, average precision, false boxes on normal films, chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ml.detect import Lesion, overlap_with, select_candidates
from ml.training.boxes import KINDS, BoxedFilm
from ml.training.detector import LesionNetwork
from ml.training.device import home_of, send
from ml.vocabulary import BOX_LABELS

OVERLAPS = (0.1, 0.3, 0.5)
Output = tuple[np.ndarray, np.ndarray]  # boxes [A, 4], scores [A, 9]


@torch.no_grad()
def run_network(network: LesionNetwork, pixels: np.ndarray, *, batch: int = 16) -> list[Output]:
    """Run the network on prepared films.

    pixels: [N, S, S] uint8, S the network's own size
    """
    network.eval()
    here = home_of(network)
    outputs: list[Output] = []
    for start in range(0, len(pixels), batch):
        stack = np.array(pixels[start : start + batch])  # a copy: the cache is read-only
        film = send(torch.from_numpy(stack), here).unsqueeze(1).float() / 255
        boxes, scores = network(film.contiguous(memory_format=torch.channels_last))
        outputs += list(zip(boxes.cpu().numpy(), scores.cpu().numpy(), strict=True))
    return outputs


def best_overlaps(
    films: Sequence[BoxedFilm], outputs: Sequence[Output], *, kinds: Sequence[str] = BOX_LABELS
) -> list[tuple[int, str, float]]:
    """Overlap of the highest-scoring box of the right kind with each boxed finding.

    returns: (index of the film, kind, IoU with the film's box of that kind that fits best)
    """
    found = []
    for index, (item, (boxes, scores)) in enumerate(zip(films, outputs, strict=True)):
        for kind in sorted({int(k) for k in item.kinds}):
            if KINDS[kind] in kinds:
                top = boxes[int(np.argmax(scores[:, kind]))]
                truth = item.boxes[item.kinds == kind]
                found.append((index, KINDS[kind], float(overlap_with(top, truth).max())))
    return found


def hit_rates(films: Sequence[BoxedFilm], outputs: Sequence[Output]) -> dict[str, float]:
    """Shares of boxed findings hit at each overlap, opacity apart, and mean average precision."""
    named = np.array([iou for _, _, iou in best_overlaps(films, outputs)])
    opacity = np.array([iou for _, _, iou in best_overlaps(films, outputs, kinds=("Opacity",))])
    figures = {f"hit_{level}": float((named > level).mean()) for level in OVERLAPS}
    figures |= {f"opacity_hit_{level}": float((opacity > level).mean()) for level in OVERLAPS}
    lesions = [select(output) for output in outputs]
    figures["map_50"] = mean_precision(match_all(films, lesions), np.arange(len(films)))
    return figures


def select(output: Output) -> list[Lesion]:
    """Candidates of the 8 labels as they are served, with no operating point."""
    return select_candidates(*output, BOX_LABELS, thresholds=dict.fromkeys(BOX_LABELS, 0.0))


@dataclass(frozen=True)
class Match:
    """One film's candidates of one label: score and whether each hits a box of its own."""

    ranked: tuple[tuple[float, bool], ...]
    boxes: int


def match_film(
    item: BoxedFilm, lesions: Sequence[Lesion], label: str, *, level: float = 0.5
) -> Match:
    """Match candidates to the film's boxes of a label, best first, each box once.

    A film on which the label is unknown counts for nothing.
    """
    kind = KINDS.index(label)
    if not item.known[kind]:
        return Match((), 0)
    truth = item.boxes[item.kinds == kind]
    taken = np.zeros(len(truth), bool)
    ranked = []
    for lesion in lesions:
        if lesion.label != label:
            continue
        overlaps = overlap_with(np.array(lesion.box), truth) if len(truth) else np.zeros(0)
        overlaps = np.where(taken, -1.0, overlaps)
        hit = bool(overlaps.size and overlaps.max() >= level)
        if hit:
            taken[int(overlaps.argmax())] = True
        ranked.append((lesion.score, hit))
    return Match(tuple(ranked), len(truth))


def average_precision(matches: Sequence[Match]) -> float:
    """Area under the precision envelope, 0..1; nan where no film has such a box."""
    total = sum(match.boxes for match in matches)
    if not total:
        return float("nan")
    ranked = sorted((pair for match in matches for pair in match.ranked), key=lambda p: -p[0])
    hits = np.array([hit for _, hit in ranked], bool)
    if not hits.any():
        return 0.0
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[hits].sum() / total)


def match_all(
    films: Sequence[BoxedFilm], lesions: Sequence[Sequence[Lesion]]
) -> dict[str, list[Match]]:
    """Matches of every label on every film."""
    return {
        label: [match_film(item, own, label) for item, own in zip(films, lesions, strict=True)]
        for label in BOX_LABELS
    }


def mean_precision(matches: Mapping[str, Sequence[Match]], rows: np.ndarray) -> float:
    """Mean of the labels' average precision over the films in rows."""
    areas = [average_precision([own[row] for row in rows]) for own in matches.values()]
    return float(np.nanmean(areas))


def bootstrap_films(
    statistic: Callable[[np.ndarray], float], patients: Sequence[str], *, rounds: int = 300
) -> dict[str, float]:
    """A statistic of film indices with its 95 % interval, patients drawn with replacement."""
    rng = np.random.default_rng(0)
    groups: dict[str, list[int]] = {}
    for index, patient in enumerate(patients):
        groups.setdefault(patient, []).append(index)
    members = [np.array(rows) for rows in groups.values()]
    draws = []
    for _ in range(rounds):
        drawn = rng.integers(0, len(members), len(members))
        draws.append(statistic(np.concatenate([members[i] for i in drawn])))
    low, high = np.nanpercentile(draws, (2.5, 97.5))
    value = statistic(np.arange(len(patients)))
    return {"value": round(value, 4), "low": round(float(low), 4), "high": round(float(high), 4)}
