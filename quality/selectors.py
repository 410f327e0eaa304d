"""Figures of a period: times, agreement, refusals, drift. For who may see every patient."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from accounts.models import User
from accounts.permissions import Capability, require
from diagnosis.models import Analysis, Finding, Reading
from diagnosis.states import Status
from quality.drift import Drift, State, drift_of
from quality.reference import INPUTS, quantities_of, reference_of

MOST_ROWS = 20_000
DRIFT_FILMS = 500


@dataclass(frozen=True)
class Times:
    """One day's or one period's times; None where nothing happened."""

    day: date | None
    films: int
    signed: int
    result_s: float | None
    result_p90_s: float | None
    sign_min: float | None
    sign_p90_min: float | None


@dataclass(frozen=True)
class Agreement:
    """How often people agreed with a finding that was marked, and how often it was missed."""

    code: str
    agree: int
    unsure: int
    disagree: int
    missed: int

    @property
    def judged(self) -> int:
        return self.agree + self.unsure + self.disagree


@dataclass(frozen=True)
class Period:
    """since: its begin; whole: over all days; days: one by one, the first first."""

    since: datetime
    whole: Times
    days: list[Times]
    agreement: list[Agreement]
    refusals: list[tuple[str, int]]
    failed: int


@dataclass(frozen=True)
class DriftReport:
    """drifts: inputs first; None where the release has no reference."""

    release: str
    films: int
    drifts: list[Drift] | None

    @property
    def alarms(self) -> list[Drift]:
        return [one for one in self.drifts or () if one.state is State.DRIFTED]


def period(user: User, days: int) -> Period:
    """Return the figures of the last days."""
    require(user, Capability.view_quality)
    since = timezone.now() - timedelta(days=days)
    rows = _timed(since)
    by_day: dict[date, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_day[timezone.localdate(row["created_at"])].append(row)
    first = timezone.localdate(since)
    dates = [first + timedelta(days=number) for number in range(1, days + 1)]
    states = Counter(row["status"] for row in rows)
    reasons = Counter(row["reason"] for row in rows if row["status"] == Status.REFUSED)
    return Period(
        since=since,
        whole=_times(None, rows),
        days=[_times(day, by_day.get(day, [])) for day in dates],
        agreement=agreement(_last_readings(since)),
        refusals=reasons.most_common(),
        failed=states[Status.FAILED],
    )


def agreement(readings: Iterable[Reading]) -> list[Agreement]:
    """Count verdicts by finding, the most often judged first."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for reading in readings:
        for code, verdict in reading.findings.items():
            counts[code][verdict] += 1
        for added in reading.added:
            counts[added["code"]]["missed"] += 1
    names = ("agree", "unsure", "disagree", "missed")
    rows = [
        Agreement(code, *(count[name] for name in names)) for code, count in counts.items() if code
    ]
    return sorted(rows, key=lambda row: (-row.judged - row.missed, row.code))


def discrepancies(user: User, days: int) -> QuerySet[Reading]:
    """Return the last readings in which somebody disagreed or added something, newest first."""
    require(user, Capability.view_quality)
    since = timezone.now() - timedelta(days=days)
    differing = [row.pk for row in _last_readings(since) if differs(row)]
    found = Reading.objects.filter(pk__in=differing).order_by("-signed_at", "id")
    return found.select_related("analysis__film__patient", "signed_by").prefetch_related(
        "analysis__findings"
    )


def differs(reading: Reading) -> bool:
    """Tell whether the person saw it otherwise than the networks."""
    verdicts = set(reading.findings.values())
    return bool(reading.added) or Reading.Verdict.DISAGREE in {reading.verdict, *verdicts}


def drift(user: User | None, release: str) -> DriftReport:
    """Compare the last films of a release with its reference; user: None for the command line."""
    if user is not None:
        require(user, Capability.view_quality)
    reference = reference_of(release)
    rows = list(
        Analysis.objects.filter(release=release, status=Status.SUCCEEDED)
        .order_by("-updated_at", "-id")
        .values("id", "quality", "anatomy", "anomaly", "abnormal")[:DRIFT_FILMS]
    )
    if reference is None:
        return DriftReport(release, len(rows), None)
    values = _quantities(rows)
    order = [*INPUTS, *(name for name in reference if name not in INPUTS)]
    drifts = [drift_of(name, values[name], reference[name]) for name in order if name in reference]
    return DriftReport(release, len(rows), drifts)


def _quantities(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Return the values of each quantity over the films."""
    found: dict[Any, dict[str, float]] = defaultdict(dict)
    ids = [row["id"] for row in rows]
    findings = Finding.objects.filter(analysis_id__in=ids)
    for key, code, value in findings.values_list("analysis_id", "code", "probability"):
        found[key][code] = value
    values: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        facts = {name: row[name] for name in ("quality", "anatomy", "anomaly", "abnormal")}
        for name, value in quantities_of(**facts, probabilities=found[row["id"]]).items():
            values[name].append(value)
    return values


def _timed(since: datetime) -> list[dict[str, Any]]:
    """Return state and moments of the analyses since then, with the first signature on each."""
    signed = Reading.objects.filter(analysis=OuterRef("pk")).order_by("version")
    rows = Analysis.objects.filter(updated_at__gte=since, created_at__gte=since)
    rows = rows.annotate(signed_at=Subquery(signed.values("signed_at")[:1]))
    names = ("status", "reason", "created_at", "finished_at", "signed_at")
    return list(rows.order_by("-updated_at").values(*names)[:MOST_ROWS])


def _last_readings(since: datetime) -> list[Reading]:
    """Return the last version of each reading signed since then."""
    rows = Reading.objects.filter(analysis__updated_at__gte=since, signed_at__gte=since)
    last = rows.order_by("analysis_id", "-version").distinct("analysis_id")
    return list(last[:MOST_ROWS])


def _times(day: date | None, rows: Sequence[dict[str, Any]]) -> Times:
    results = [
        (row["finished_at"] - row["created_at"]).total_seconds()
        for row in rows
        if row["status"] in {Status.SUCCEEDED, Status.REFUSED}
    ]
    signs = [
        (row["signed_at"] - row["finished_at"]).total_seconds() / 60
        for row in rows
        if row["signed_at"] and row["finished_at"]
    ]
    return Times(
        day=day,
        films=len(rows),
        signed=len(signs),
        result_s=median(results) if results else None,
        result_p90_s=_p90(results),
        sign_min=median(signs) if signs else None,
        sign_p90_min=_p90(signs),
    )


def _p90(values: Sequence[float]) -> float | None:
    """Return the smallest value that nine of ten do not pass."""
    return sorted(values)[-(-9 * len(values) // 10) - 1] if values else None
