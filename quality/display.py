"""Figures as the pages show them: words, numbers and places of bars."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from diagnosis.display import figure, name_of
from diagnosis.models import Reading
from quality.charts import Bar, columns, histogram, shares
from quality.drift import BINS, Drift
from quality.reference import ABNORMAL, INPUTS
from quality.selectors import Agreement, Period, Times
from xraydx.errors import message_for

ROW_WIDTH, ROW_HEIGHT = 240, 14
SMALL_WIDTH, SMALL_HEIGHT = 100, 24


@dataclass(frozen=True)
class Chart:
    """A chart of columns over days. summary: the same in words."""

    bars: list[Bar]
    top: str
    first: str
    last: str
    summary: str


@dataclass(frozen=True)
class AgreementRow:
    """One finding's verdicts."""

    name: str
    row: Agreement
    share: str
    bars: list[Bar]


@dataclass(frozen=True)
class DriftRow:
    """One quantity's drift."""

    name: str
    is_input: bool
    drift: Drift
    index: str
    bars: list[Bar]


@dataclass(frozen=True)
class Discrepancy:
    """One reading that differs from the networks', in words."""

    reading: Reading
    disagreed: list[str]
    missed: list[str]


def time_charts(period: Period) -> dict[str, Chart]:
    """Return the charts of both times."""
    whole = period.whole
    return {
        "result": _chart(
            period.days,
            "result_s",
            _("%(value)s s"),
            _("From sending a film to its result: half take less than %(median)s s, nine of ten "
              "less than %(p90)s s."),
            whole.result_s,
            whole.result_p90_s,
        ),
        "sign": _chart(
            period.days,
            "sign_min",
            _("%(value)s min"),
            _("From the result to the signature: half take less than %(median)s min, nine of ten "
              "less than %(p90)s min."),
            whole.sign_min,
            whole.sign_p90_min,
        ),
    }  # fmt: skip


def _chart(
    days: list[Times],
    name: str,
    unit: str,
    summary: str,
    median: float | None,
    p90: float | None,
) -> Chart:
    values = [getattr(day, name) for day in days]
    dates = [date_format(day.day, "MONTH_DAY_FORMAT") if day.day else "" for day in days]
    titles = [
        _("%(day)s: %(value)s") % {"day": day, "value": unit % {"value": figure(value, 1)}}
        if value is not None
        else ""
        for day, value in zip(dates, values, strict=True)
    ]
    bars, top = columns(values, titles)
    said = _("Nothing in this period.")
    if median is not None and p90 is not None:
        said = summary % {"median": figure(median, 1), "p90": figure(p90, 1)}
    return Chart(bars, unit % {"value": figure(top, 1)}, dates[0], dates[-1], said)


def agreement_rows(rows: Iterable[Agreement]) -> list[AgreementRow]:
    """Return the verdicts of each finding with their bars."""
    found = []
    for row in rows:
        parts = [("agree", row.agree), ("unsure", row.unsure), ("disagree", row.disagree)]
        share = figure(100 * row.agree / row.judged, 0) if row.judged else "—"
        bars = shares(parts, width=ROW_WIDTH, height=ROW_HEIGHT)
        found.append(AgreementRow(name_of(row.code), row, share, bars))
    return found


def refusal_rows(rows: list[tuple[str, int]], films: int) -> list[dict[str, object]]:
    """Return each reason with its count and the length of its bar."""
    most = max((count for _reason, count in rows), default=1)
    return [
        {
            "what": message_for(reason).fill({})[0],
            "count": count,
            "share": figure(100 * count / films, 1) if films else "",
            "width": round(ROW_WIDTH * count / most, 1),
        }
        for reason, count in rows
    ]


def drift_rows(drifts: Iterable[Drift]) -> list[DriftRow]:
    """Return each quantity with its small chart."""
    return [
        DriftRow(
            name=_quantity_name(one.quantity),
            is_input=one.quantity in INPUTS,
            drift=one,
            index="—" if one.index is None else figure(one.index),
            bars=histogram(one.shares, expected=1 / BINS, width=SMALL_WIDTH, height=SMALL_HEIGHT),
        )
        for one in drifts
    ]


def discrepancy_of(reading: Reading) -> Discrepancy:
    """Return in words what somebody saw otherwise."""
    probability = {row.code: row.probability for row in reading.analysis.findings.all()}
    disagreed = [
        f"{name_of(code)} {figure(probability[code])}"
        for code, verdict in reading.findings.items()
        if verdict == Reading.Verdict.DISAGREE and code in probability
    ]
    missed = [
        name_of(added["code"]) if added["code"] else added["words"] for added in reading.added
    ]
    return Discrepancy(reading, disagreed, missed)


def _quantity_name(quantity: str) -> str:
    if quantity in INPUTS:
        return str(INPUTS[quantity])
    return _("Abnormal overall") if quantity == ABNORMAL else name_of(quantity)


def lines_of(reading: Reading) -> list[list[object]]:
    """Return one CSV line for each finding in which the reading differs."""
    analysis = reading.analysis
    found = {row.code: row for row in analysis.findings.all()}
    head: list[object] = [
        reading.pk,
        reading.signed_at.isoformat(),
        reading.signed_by_id,
        analysis.film_id,
        analysis.pk,
        analysis.release,
    ]
    lines: list[list[object]] = []
    for code, verdict in reading.findings.items():
        if verdict == Reading.Verdict.DISAGREE and code in found:
            lines.append([*head, "disagree", code, found[code].probability, found[code].threshold])
    for added in reading.added:
        row = found.get(added["code"])
        figures = [row.probability, row.threshold] if row else ["", ""]
        lines.append([*head, "missed", added["code"] or "other", *figures])
    return lines or [[*head, "disagree", "", "", ""]]
