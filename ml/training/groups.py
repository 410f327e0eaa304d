"""Compares any figure between groups of films: by age band, sex, view and what else is known.

Every comparison holds one group against the rest of the same films, with a bootstrap interval of
the difference over patients; a group is called worse where the whole interval is. Among the
metrics of a network, what is compared stands under a key that ends in BY_GROUP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ml.training.metrics import bootstrap
from ml.training.proportions import clopper_pearson

BY_GROUP = ", by group"
MORE, LESS = "more than the rest", "less than the rest"  # both: positive is better
FEWEST = 100  # films of a group, below which a mean of areas means nothing
FEWEST_OF_A_MEAN = 40
ROUNDS = 400

Figure = Callable[[np.ndarray], float]


class Known(Protocol):
    """A film with what is known of its patient."""

    @property
    def age(self) -> float | None: ...
    @property
    def sex(self) -> str: ...
    @property
    def view(self) -> str: ...


@dataclass(frozen=True)
class Cases:
    """What is compared: films, boxes or the like.

    patients: of every case; groups: the names of the groups that every case is in
    """

    patients: Sequence[str]
    groups: Sequence[Sequence[str]]

    def at(self, rows: Sequence[int] | np.ndarray) -> Cases:
        """Some of them."""
        return Cases([self.patients[i] for i in rows], [self.groups[i] for i in rows])


def age_band(age: float) -> str:
    """The band of an age in years."""
    return "under 40 years" if age < 40 else "40 to 59 years" if age < 60 else "60 years or more"


def groups_of(film: Known) -> tuple[str, ...]:
    """The groups of a film, by what is known of it: view, sex, age band."""
    named = [f"{what} {value}" for what, value in (("view", film.view), ("sex", film.sex)) if value]
    return (*named, age_band(film.age)) if film.age is not None else tuple(named)


def compare_groups(
    figure: Figure,
    cases: Cases,
    *,
    called: str,
    lower_is_better: bool = False,
    share: bool = False,
    fewest: int = FEWEST,
) -> dict[str, Any]:
    """Give a figure in every group beside how much better it is than in the rest.

    figure: its value on rows [R] int of the cases, nan where it has none
    called: name of the figure beside each group
    share: the figure is a mean of 0 and 1, whose interval in a group is exact, not bootstrapped
    fewest: cases inside a group and outside it, below which it is left out
    """
    every = np.arange(len(cases.patients))
    better = -1.0 if lower_is_better else 1.0
    found: dict[str, Any] = {}
    for name in sorted({name for own in cases.groups for name in own}):
        within = np.array([name in own for own in cases.groups])
        rows = every[within]
        if not fewest <= len(rows) <= len(every) - fewest or not np.isfinite(figure(rows)):
            continue

        def apart(drawn: np.ndarray, _: np.ndarray, within: np.ndarray = within) -> float:
            inside = within[drawn]
            return better * (figure(drawn[inside]) - figure(drawn[~inside]))

        difference = bootstrap(apart, every, every, groups=cases.patients, rounds=ROUNDS)
        found[name] = {
            "films": len(rows),
            called: _exact(figure, rows) if share else _drawn(figure, rows, cases),
            LESS if lower_is_better else MORE: difference.rounded(),
        }
    return found


def _drawn(figure: Figure, rows: np.ndarray, cases: Cases) -> dict[str, float]:
    patients = cases.at(rows).patients
    return bootstrap(
        lambda drawn, _: figure(drawn), rows, rows, groups=patients, rounds=ROUNDS
    ).rounded()


def _exact(figure: Figure, rows: np.ndarray) -> dict[str, float | int]:
    found = clopper_pearson(round(figure(rows) * len(rows)), len(rows))
    return {name: found[name] for name in ("value", "low", "high")}


@dataclass(frozen=True)
class Comparison:
    """One group against the rest.

    value: the figure inside; better: by how much it is better than in the rest; both with low, high
    """

    figure: str
    group: str
    films: int
    value: Mapping[str, float]
    better: Mapping[str, float]
    lower_is_better: bool

    @property
    def worse(self) -> bool:
        """Whether it is worse by more than chance allows."""
        return self.better["high"] < 0

    @property
    def rest(self) -> float:
        """The figure in the rest."""
        return self.value["value"] + (1 if self.lower_is_better else -1) * self.better["value"]


def comparisons_in(metrics: Mapping[str, Any]) -> list[Comparison]:
    """Every comparison among the stored figures of a network."""
    found = []
    for name, groups in metrics.items():
        if not name.endswith(BY_GROUP):
            continue
        for group, own in groups.items():
            lower = LESS in own
            key = LESS if lower else MORE
            value = next(v for k, v in own.items() if k not in ("films", key))
            what = name.removesuffix(BY_GROUP)
            found.append(Comparison(what, group, own["films"], value, own[key], lower))
    return found


def verdict(metrics: Mapping[str, Any]) -> str:
    """The card's sentence: which groups are worse by more than chance allows; empty without any
    comparison."""
    compared = comparisons_in(metrics)
    if not compared:
        return ""
    many = (
        f"of {len(compared)} comparisons of a group with the rest, where one in 40 would look "
        "worse by chance alone"
    )
    worse = [_describe(one) for one in compared if one.worse]
    if not worse:
        return f"No group was worse by more than chance allows, {many}."
    return f"Worse by more than chance allows, {many}: {'; '.join(worse)}."


def _describe(one: Comparison) -> str:
    return (
        f"{one.figure}, {one.group}: {one.value['value']:.3f} where the rest have {one.rest:.3f} "
        f"(worse by {-one.better['value']:.3f}, {-one.better['high']:.3f} to "
        f"{-one.better['low']:.3f})"
    )
