"""The triage scales of emergency rooms: what each calls its levels, and in which colours."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.functional import Promise, SimpleLazyObject
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy

from policy.rules import TRIAGE_SCALES
from policy.selectors import present


@dataclass(frozen=True)
class Level:
    """One level of a scale; colour names a style of static/css/triage.css."""

    number: int
    word: str | Promise
    colour: str


@dataclass(frozen=True)
class Scale:
    """A scale of five levels; without a name, levels are plain numbers."""

    code: str
    name: str
    levels: tuple[Level, ...]

    def level(self, number: int) -> Level:
        """Return the level, 1 the most urgent."""
        return self.levels[number - 1]


def _scale(code: str, name: str, words: list[str | Promise], colours: str) -> Scale:
    named = zip(words, colours.split(), strict=True)
    return Scale(code, name, tuple(Level(n, *both) for n, both in enumerate(named, 1)))


PLAIN = _scale("", "", [""] * 5, "plain plain plain plain plain")
_KTAS: list[str | Promise] = [
    pgettext_lazy("triage, KTAS", "Resuscitation"),
    pgettext_lazy("triage, KTAS", "Emergent"),
    pgettext_lazy("triage, KTAS", "Urgent"),
    pgettext_lazy("triage, KTAS", "Less urgent"),
    pgettext_lazy("triage, KTAS", "Non-urgent"),
]
_ESI: list[str | Promise] = [
    pgettext_lazy("triage, ESI", "Resuscitation"),
    pgettext_lazy("triage, ESI", "Emergent"),
    pgettext_lazy("triage, ESI", "Urgent"),
    pgettext_lazy("triage, ESI", "Less urgent"),
    pgettext_lazy("triage, ESI", "Non-urgent"),
]
_MTS: list[str | Promise] = [
    pgettext_lazy("triage, Manchester", "Immediate"),
    pgettext_lazy("triage, Manchester", "Very urgent"),
    pgettext_lazy("triage, Manchester", "Urgent"),
    pgettext_lazy("triage, Manchester", "Standard"),
    pgettext_lazy("triage, Manchester", "Non-urgent"),
]
_ATS: list[str | Promise] = [
    pgettext_lazy("triage, Australasian", "Resuscitation"),
    pgettext_lazy("triage, Australasian", "Emergency"),
    pgettext_lazy("triage, Australasian", "Urgent"),
    pgettext_lazy("triage, Australasian", "Semi-urgent"),
    pgettext_lazy("triage, Australasian", "Non-urgent"),
]
# Colours: KTAS as CTAS, from which it comes; MTS and ATS as published. ESI names none: the usual.
SCALES = {
    scale.code: scale
    for scale in (
        PLAIN,
        _scale("ktas", "KTAS", _KTAS, "blue red yellow green white"),
        _scale("esi", "ESI", _ESI, "red orange yellow green blue"),
        _scale("mts", "MTS", _MTS, "red orange yellow green blue"),
        _scale("ats", "ATS", _ATS, "red orange green blue white"),
    )
}
assert set(SCALES) == set(TRIAGE_SCALES)


def scale_in_use() -> Scale:
    """Return the scale that the site chose."""
    return SCALES[present().triage_scale]


def title_of(scale: Scale, level: Level) -> str:
    """The level in words: "MTS 2: Very urgent"."""
    if not scale.name:
        return _("Triage level %(level)s") % {"level": level.number}
    return f"{scale.name} {level.number}: {level.word}"


def context(request: HttpRequest) -> dict[str, object]:
    """Give every page the site's scale, asked for where a level is shown."""
    return {"triage_scale": SimpleLazyObject(scale_in_use)}
