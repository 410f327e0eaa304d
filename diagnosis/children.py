"""Children on the reading view: what their own reader says, and whether the age still fits it."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from diagnosis import display, quick_words
from diagnosis.models import Analysis
from diagnosis.selectors import age_on_film
from diagnosis.states import Status

ADULT_FROM = 18


@dataclass(frozen=True)
class ChildCard:
    """What the children's reader says of pneumonia; bar and tick in 0..100.

    over_calls: of 100 healthy children's films, how many it calls pneumonia
    """

    probability: str
    threshold: str
    above: bool
    bar: float
    tick: float
    over_calls: int | None


def child_of(analysis: Analysis) -> ChildCard | None:
    """The answer of the children's reader, where the patient's age asked for it."""
    found = analysis.child
    if not found:
        return None
    probability, threshold = float(found["pneumonia"]), float(found["threshold"])
    return ChildCard(
        probability=display.figure(probability),
        threshold=display.figure(threshold),
        above=probability >= threshold,
        bar=round(100 * probability, 1),
        tick=round(100 * threshold, 1),
        over_calls=quick_words.over_calls_of(analysis.release),
    )


def is_adult_only(analysis: Analysis) -> bool:
    """Whether the patient was a child, whom the networks for adults were not measured on."""
    age = age_on_film(analysis.film)
    return age is not None and age < ADULT_FROM


def doubt_of_age(analysis: Analysis) -> str:
    """What to say where another reader would be asked by the age that is known now; "" if none."""
    ages, age = quick_words.child_ages(), age_on_film(analysis.film)
    if analysis.status != Status.SUCCEEDED or ages is None or age is None:
        return ""
    is_small = ages[0] <= age < ages[1]
    if is_small and not analysis.child:
        return _("By this patient's age the children's reader reads the film, too. It has not yet.")
    if analysis.child and not is_small:
        return _("The children's reader was asked for another age than is known now.")
    return ""
