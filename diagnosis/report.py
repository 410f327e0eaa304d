"""The report in words: a draft from the findings, and what its page and its PDF show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from diagnosis import display
from diagnosis.models import Analysis, Film, Reading
from diagnosis.readings import OTHER
from diagnosis.records import was_put_away
from diagnosis.selectors import findings_to_show, is_marked
from policy.selectors import held_at, present


def draft_words(analysis: Analysis) -> dict[str, str]:
    """The sentences of which the page puts a draft together; {names} stands for findings."""
    return {
        "head": head_of(analysis.film),
        "agree": _("Findings: {names}."),
        "unsure": _("Possible: {names}."),
        "disagree": _("No sign of: {names}."),
        "open": _("Marked by the network, not judged yet: {names}."),
        "nothing": _("No finding that needs action."),
        "ratio": ratio_words(analysis),
    }


def draft(analysis: Analysis, marked: list[str]) -> str:
    """The draft before anything is judged.

    marked: names of the findings that the networks mark
    """
    words = draft_words(analysis)
    body = words["open"].replace("{names}", ", ".join(marked)) if marked else words["nothing"]
    return "\n".join(line for line in (words["head"], body, words["ratio"]) if line)


def head_of(film: Film) -> str:
    """Which film the report is about."""
    at = date_format(localtime(film.uploaded_at), "DATE_FORMAT")
    if film.view:
        return _("Chest film, %(view)s view, sent on %(at)s.") % {"view": film.view, "at": at}
    return _("Chest film, sent on %(at)s.") % {"at": at}


def ratio_words(analysis: Analysis) -> str:
    """The cardiothoracic ratio as a sentence; empty where it was not measured."""
    ratio = display.ratio_of(analysis)
    if ratio is None:
        return ""
    return _("Heart to chest width %(ratio)s.") % {"ratio": display.figure(ratio)}


def added_name(item: Mapping[str, Any]) -> str:
    """What a person added, in words."""
    words = str(item.get("words") or "")
    if item.get("code") == OTHER:
        return words
    name = display.name_of(str(item.get("code")))
    return f"{name} ({words})" if words else name


@dataclass(frozen=True)
class Row:
    """One finding of the report: the network's figures and the person's verdict."""

    name: str
    probability: str
    threshold: str
    marked: bool
    verdict: str


@dataclass(frozen=True)
class Mark:
    """A box on the report's picture; own: drawn by a person."""

    words: str
    box: tuple[float, float, float, float]
    own: bool

    def on_grid(self) -> dict[str, Any]:
        """Corner and size on a grid of 1000 by 1000, and whose box it is."""
        x0, y0, x1, y1 = (round(1000 * side) for side in self.box)
        return {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0, "own": self.own}


@dataclass(frozen=True)
class Report:
    """What page and PDF show; reading is None while nothing is signed.

    added: names of what the person found and the networks did not
    elsewhere: the last signature under another of the networks' readings of the film
    """

    analysis: Analysis
    reading: Reading | None
    text: str
    rows: list[Row]
    marks: list[Mark]
    added: list[str]
    elsewhere: Reading | None = None

    @property
    def is_final(self) -> bool:
        """Whether somebody signed it."""
        return self.reading is not None


def report_of(analysis: Analysis) -> Report:
    """The report of the last signed version, else the preliminary one of the networks.

    What is signed stays as it was under the rules of its moment, and nothing is put in the mouth
    of who signed no words.
    """
    reading = next(iter(analysis.readings.all()), None)
    policy = held_at(reading.signed_at) if reading else present()
    shown = findings_to_show(analysis, policy)
    marked = [row for row in shown if is_marked(row, policy)]
    if reading:
        text = reading.report or _("Signed without words: the verdicts stand in the table.")
    else:
        text = draft(analysis, [display.name_of(row.code) for row in marked])
    return Report(
        analysis=analysis,
        reading=reading,
        text=text,
        rows=[_row(row, reading, marked=row in marked) for row in shown],
        marks=_marks(analysis, reading),
        added=[added_name(item) for item in reading.added] if reading else [],
        elsewhere=None if reading else signed_elsewhere(analysis),
    )


def signed_elsewhere(analysis: Analysis) -> Reading | None:
    """The last signature on the film under another of the networks' readings of it."""
    others = Reading.objects.filter(analysis__film=analysis.film_id).exclude(analysis=analysis)
    return others.select_related("signed_by").order_by("-signed_at").first()


def signed_on_twin(film: Film) -> Reading | None:
    """The last signature on the same bytes that a merge of two records put out of sight."""
    twins = Film.objects.filter(patient_id=film.patient_id, sha256=film.sha256)
    readings = Reading.objects.filter(
        analysis__film__in=twins.filter(deleted_at__isnull=False)
    ).select_related("signed_by", "analysis")
    for reading in readings.order_by("-signed_at"):
        if was_put_away(reading.analysis.film_id):
            return reading
    return None


def added_words(report: Report) -> str:
    """The sentence about what the person added; empty where that is nothing."""
    if not report.added:
        return ""
    return _("Added by the physician: %(names)s.") % {"names": ", ".join(report.added)}


def _row(finding: Any, reading: Reading | None, *, marked: bool) -> Row:
    verdicts = dict(Reading.Verdict.choices)
    verdict = verdicts.get(reading.findings.get(finding.code, "")) if reading else None
    return Row(
        name=display.name_of(finding.code),
        probability=display.figure(finding.probability),
        threshold=display.figure(finding.threshold),
        marked=marked,
        verdict=str(verdict or ""),
    )


def _marks(analysis: Analysis, reading: Reading | None) -> list[Mark]:
    boxes = display.boxes_of(analysis.lesions.all(), analysis.findings.all())
    marks = [Mark(box.label, _box(box.place.split()), own=False) for box in boxes]
    for item in reading.added if reading else []:
        if item.get("box"):
            marks.append(Mark(added_name(item), _box(item["box"]), own=True))
    return marks


def _box(sides: Any) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (float(side) for side in sides)
    return x0, y0, x1, y1
