"""Writes how long the trainings take, on the films of NIH's whole collection; needs no torch.

Hours on a CPU follow from the films a second that were measured (ml/training/hours.py); hours on a
GPU are an estimate from the work of one film, never measured by us, and say so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STORED = Path(__file__).parent / "measured" / "hours.json"
PAGE = Path("docs/training.md")
BEGIN, END = "<!-- hours: written by `python -m ml evaluate hours` -->", "<!-- end of hours -->"
# What is assumed of a GPU: a card of 100 TFLOPS in bf16 of which small networks reach a twentieth,
# since they wait for memory; 25 steps a second, since each starts hundreds of small kernels; and
# four cores beside it that move and change films.
GPU_GFLOPS = 100_000 * 0.05
GPU_STEPS = 25
GPU_CORES = 4


COLUMNS = (
    "config",
    "px",
    "films in one pass",
    "passes",
    "films a second",
    "memory",
    "one pass",
    "all passes",
    "GFLOP a film",
    "one pass on a GPU, estimated",
    "all passes on a GPU, estimated",
)


@dataclass(frozen=True)
class Plan:
    """A training on the whole collection.

    films: in one pass; passes: of the whole schedule; of: which films these are
    """

    network: str
    config: str
    films: int
    passes: float
    of: str


OFFICIAL = "NIH's official training list"
CLEAN = "its films without a finding"
CHILDREN = "chest_xray's training folder"
PLANS: tuple[Plan, ...] = (
    Plan("classifier", "classifier", 86_524, 6, OFFICIAL),
    Plan("classifier", "classifier_320", 86_524, 4, OFFICIAL),
    Plan("classifier", "classifier_lungs", 86_524, 6, OFFICIAL),
    Plan("classifier", "classifier_lungs_320", 86_524, 4, OFFICIAL),
    Plan("detector", "detector", 1_230, 22, "880 boxed films, 350 normal ones"),
    Plan("unet", "unet", 50_500, 6, CLEAN),
    Plan("reversed_ae", "reversed_ae", 50_500, 6, CLEAN),
    Plan("reversed_ae", "reversed_ae_soft", 50_500, 2, CLEAN),
    Plan("anatomy", "anatomy", 357, 20, "masked films; the collection has none"),
    Plan("anatomy", "anatomy_fine", 357, 16, "the same"),
    Plan("gate", "gate", 5_120, 8, "draws of good and unfit pictures"),
    Plan("paediatric", "paediatric", 5_216, 2, CHILDREN),
    Plan("paediatric", "paediatric_shapes", 5_216, 1.5, CHILDREN),
)


def gpu_films_a_second(timed: Mapping[str, Any]) -> float:
    """Films a second that a GPU is assumed to reach, and the cores beside it can prepare."""
    by_card = min(GPU_GFLOPS / float(timed["gflop"]), GPU_STEPS * float(timed["batch"]))
    prepared = timed["prepared_a_second"]
    return by_card if prepared is None else min(by_card, GPU_CORES * float(prepared))


def show_hours(hours: float) -> str:
    """Hours, or minutes where they are few."""
    if hours < 1 / 60:
        return "< 1 min"
    return f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.0f} min"


def hours_lines(path: Path = STORED) -> list[str]:
    """The table and what stands above it; none where nothing was stored."""
    if not path.exists():
        return []
    said = json.loads(path.read_text())
    rows = [
        _row(plan, said["trainings"][plan.config])
        for plan in PLANS
        if plan.config in said["trainings"]
    ]
    return [
        f"Measured on one thread ({said['processor'] or 'this machine'}, torch {said['torch']}, "
        f"bf16): the mean of {said['steps']} steps at the size in which the schedule ends, by the "
        "process's own processor time, with the allocator set as above, beside other work on the "
        "machine. Memory is that of the whole process without its films.",
        "",
        "Hours on a GPU are **estimated, not measured**: from the work of one film, forward and "
        f"backward, for a card of which {GPU_GFLOPS:,.0f} GFLOPS are reached (5 % of 100 TFLOPS in "
        f"bf16) at no more than {GPU_STEPS} steps a second, since starting small kernels takes its "
        f"time, and no faster than {GPU_CORES} cores beside it change films where the processor "
        "does that. A card's memory is estimated by the same column: the same tensors lie there.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
        *rows,
    ]


def _row(plan: Plan, timed: Mapping[str, Any]) -> str:
    here = plan.films / float(timed["films_a_second"]) / 3600
    there = plan.films / gpu_films_a_second(timed) / 3600
    cells = (
        plan.config,
        timed["size"],
        f"{plan.films:,}, {plan.of}",
        f"{plan.passes:g}",
        f"{timed['films_a_second']:.1f}",
        f"{timed['memory_mb'] / 1000:.1f} GB",
        show_hours(here),
        show_hours(here * plan.passes),
        f"{timed['gflop']:.2f}",
        show_hours(there),
        show_hours(there * plan.passes),
    )
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def update_page(page: Path = PAGE) -> None:
    """Rewrite the table of docs/training.md, and nothing else in it."""
    text = page.read_text()
    before, rest = text.split(BEGIN)
    table = "\n".join([BEGIN, "", *hours_lines(), "", END])
    page.write_text(before + table + rest.split(END)[1])
