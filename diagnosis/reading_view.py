"""What the reading view shows to one person: film, findings, their own reading, the prior film."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from diagnosis import children, depth, display, readings, report, selectors
from diagnosis.models import Analysis, Film, Reading
from diagnosis.states import Status
from ml.vocabulary import NAMES
from policy.rules import Policy
from policy.selectors import present

PNEUMONIA = "Pneumonia"
TOGETHER_FROM = 2
# What the page's script imports, named so that the browser need not find out one by one.
MODULES = [
    "js/preferences.js",
    *(f"js/viewer/{name}.js" for name in ("viewer", "gestures", "source", "place")),
    *(f"js/viewer/{name}.js" for name in ("gl", "flat", "overlay", "colormaps")),
    *(f"js/reading/{name}.js" for name in ("sign", "prior")),
]


@dataclass(frozen=True)
class Line:
    """A measured line on the film: x0 y0 x1 y1 as fractions, and its words."""

    place: str
    words: str


def page_context(film: Film, analysis: Analysis, user: User) -> dict[str, Any]:
    """The whole reading view: what was read, and the patient's films beside it."""
    policy = present()
    context = reading_context(film, analysis, user, policy)
    return {**context, "strip": strip_for(user, film, policy), "modules": MODULES}


def reading_context(
    film: Film, analysis: Analysis, user: User, policy: Policy | None = None
) -> dict[str, Any]:
    """Everything that the reading view shows of one analysis to this person.

    policy: the site's rules, here and below asked for where None
    """
    policy = policy or present()
    context = display.film_context(film, analysis, policy)
    hidden = readings.is_hidden_from(user, analysis, policy)
    context |= {
        "hidden": hidden,
        "hides": readings.hides_until_first_look(user, policy),
        "viewer": viewer_of(analysis),
        "disease_names": [(code, display.name_of(code)) for code in NAMES],
        "child": children.child_of(analysis),
        "pneumonia_name": display.name_of(PNEUMONIA),
        "adult_only": children.is_adult_only(analysis),
        "age_doubt": "" if hidden else children.doubt_of_age(analysis),
        "alone": depth.stands_alone(analysis),
    }
    if hidden:
        urls = context["picture_urls"]
        context["picture_urls"] = {name: urls[name] for name in ("film",) if name in urls}
        context["boxes"] = []
    if analysis.status == Status.SUCCEEDED and not hidden:
        context |= own_context(analysis, to_judge(context), user)
    return context


def row_context(analysis: Analysis, user: User) -> dict[str, Any]:
    """What a line about one analysis shows to this person."""
    context: dict[str, Any] = display.row_context(analysis)
    if readings.is_hidden_from(user, analysis):
        context["headline"] = _("Your first look")
    return context


def live_context(analysis: Analysis, user: User) -> dict[str, Any]:
    """The live part; once the analysis is final the strip's words beside it change, too."""
    policy = present()
    context = reading_context(analysis.film, analysis, user, policy)
    if analysis.is_final:
        context |= {"strip": strip_for(user, analysis.film, policy), "beside": True}
    return context


def to_judge(context: dict[str, Any]) -> list[display.FindingCard]:
    """The cards of all that is marked, what the children's reader marks first."""
    marked = [card for card in context["cards"] if card.above]
    child: children.ChildCard | None = context["child"]
    if child is None or not child.above:
        return marked
    first = [card for card in context["all_cards"] if card.code == PNEUMONIA]
    return first + [card for card in marked if card.code != PNEUMONIA]


def own_context(
    analysis: Analysis, marked: list[display.FindingCard], user: User
) -> dict[str, Any]:
    """The person's side: what they judge, the draft of their report, what is signed.

    marked: cards of the findings to be judged
    """
    signed = list(analysis.readings.all())
    last = signed[0] if signed else None
    judged, lesser = split([Judged(card, verdict_on(last, card.code)) for card in marked])
    return {
        "judged": judged,
        "lesser": lesser,
        "signed": [SignedReading.of(reading) for reading in signed],
        "last": last,
        "elsewhere": None if signed else report.signed_elsewhere(analysis),
        "twin": SignedReading.of(twin) if (twin := report.signed_on_twin(analysis.film)) else None,
        "words": report.draft_words(analysis),
        "draft": last.report if last else report.draft(analysis, [c.name for c in marked]),
        "added_json": json.dumps(last.added if last else []),
        "first_looks": list(analysis.first_looks.filter(user=user)),
        "disease_names": [(code, display.name_of(code)) for code in NAMES],
    }


@dataclass(frozen=True)
class Judged:
    """A marked finding and the verdict of the last reading on it."""

    card: display.FindingCard
    verdict: str


def split(judged: list[Judged]) -> tuple[list[Judged], list[Judged]]:
    """What is judged one by one, and what may be judged together: a long list hides the first.

    The most probable three and all that this site calls dangerous never go together with others.
    """
    lesser = [row for row in judged[selectors.PROMINENT :] if not row.card.urgent]
    if len(lesser) < TOGETHER_FROM:
        return judged, []
    return [row for row in judged if row not in lesser], lesser


@dataclass(frozen=True)
class SignedReading:
    """A signed version in words."""

    reading: Reading
    verdicts: str
    added: str

    @classmethod
    def of(cls, reading: Reading) -> SignedReading:
        """Put the codes of a reading into words: verdict by verdict, the most probable first."""
        codes = [row.code for row in reading.analysis.findings.all()]
        said = {
            words: [display.name_of(c) for c in codes if reading.findings.get(c) == verdict]
            for verdict, words in Reading.Verdict.choices
        }
        verdicts = [f"{words}: {', '.join(names)}" for words, names in said.items() if names]
        return cls(reading, ". ".join(verdicts), ", ".join(map(report.added_name, reading.added)))


def verdict_on(reading: Reading | None, code: str) -> str:
    """What the reading says of the finding; empty where nothing."""
    return str(reading.findings.get(code, "")) if reading else ""


def viewer_of(analysis: Analysis) -> dict[str, Any]:
    """Addresses, sizes and lines for the viewer."""
    film = analysis.film
    context: dict[str, Any] = {"diseases": " ".join(NAMES), "px": f"{film.width} {film.height}"}
    adds = analysis.images.get("film") and depth.adds_to_picture(film)
    if adds or depth.stands_alone(analysis):
        context["depth"] = reverse("diagnosis:depth", args=[analysis.id])
    spacing = film.pixel_spacing_mm
    if spacing:
        context["mm"] = f"{film.width * spacing[1]:.2f} {film.height * spacing[0]:.2f}"
    if depth.is_turned(analysis):  # the picture lies otherwise than the file
        for name in ("px", "mm"):
            if name in context:
                context[name] = " ".join(reversed(context[name].split()))
    context["lines"] = lines_of(analysis)
    return context


def lines_of(analysis: Analysis) -> dict[str, Line]:
    """The two lines of the cardiothoracic ratio."""
    anatomy = analysis.anatomy or {}
    ratio = display.ratio_of(analysis)
    if ratio is None or "heart_line" not in anatomy:
        return {}
    words = _("heart %(ratio)s of the chest's width") % {"ratio": display.figure(ratio)}
    return {
        "heart": Line(_place_of(anatomy["heart_line"]), words),
        "chest": Line(_place_of(anatomy["chest_line"]), _("chest")),
    }


def _place_of(line: list[float]) -> str:
    return " ".join(f"{side:.4f}" for side in line)


def hidden_of(user: User, films: list[Film], policy: Policy | None = None) -> frozenset[UUID]:
    """The newest analyses of these films that wait for the person's first look."""
    newest = [next(iter(film.analyses.all()), None) for film in films]
    there = [analysis for analysis in newest if analysis is not None]
    return readings.hidden_from(user, there, policy)


def strip_for(user: User, film: Film, policy: Policy | None = None) -> list[display.StripItem]:
    """The patient's films for the strip beside the film."""
    films = list(selectors.history_for(user, film.patient)[: display.STRIP_LENGTH])
    return display.strip_of(films, hidden=hidden_of(user, films, policy), policy=policy)
