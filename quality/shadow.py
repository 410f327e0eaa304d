"""A new release beside the active one: reads the same films, and how the two differ."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from accounts.models import User
from accounts.permissions import Capability, require
from diagnosis import films
from diagnosis.models import Analysis, Finding, Reading
from diagnosis.pipeline import ReleaseUnavailable, reader_for
from diagnosis.states import ACTIVE, Status
from ml.imaging.decode import decode
from ml.refusal import Refusal
from policy.selectors import present, site_points
from quality.models import ShadowReading

AT_ONCE = 20
COMPARED = 1000
# Mended by a person; films are read then.
CANNOT_READ = (ReleaseUnavailable, films.StorageUnavailable)


@dataclass(frozen=True)
class Compared:
    """One finding in both releases over the same films.

    active, shadow: films that it is marked on; both: on which both mark it
    right_*: of the marks that a person judged, with how many they agreed
    """

    code: str
    active: int
    shadow: int
    both: int
    judged_active: int
    right_active: int
    judged_shadow: int
    right_shadow: int


@dataclass(frozen=True)
class Comparison:
    """films: read by both; refused_*: refused by one alone."""

    release: str
    films: int
    refused_active: int
    refused_shadow: int
    findings: list[Compared]


def is_busy() -> bool:
    """Whether films wait or are read for people, who come first."""
    return Analysis.objects.filter(status__in=ACTIVE).exists()


def read_waiting(*, stop: Callable[[], bool] = is_busy) -> int:
    """Read up to twenty films that the silent release has not read; returns how many.

    The newest come first. It does nothing where no release is to run silently.
    stop: asked before each film
    """
    release = present().shadow_release
    if not release:
        return 0
    done = ShadowReading.objects.filter(release=release).values("analysis_id")
    waiting = Analysis.objects.filter(status__in=[Status.SUCCEEDED, Status.REFUSED])
    waiting = waiting.exclude(release=release).exclude(pk__in=done).select_related("film")
    rows = list(waiting.filter(film__deleted_at__isnull=True).order_by("-updated_at")[:AT_ONCE])
    if not rows:
        return 0
    site = site_points(release)
    for count, row in enumerate(rows):
        if stop():
            return count
        _read(row, release, site)
    return len(rows)


def _read(row: Analysis, release: str, site: Mapping[str, float]) -> None:
    reader = reader_for(release)
    refused, found = "", None
    try:
        reading = reader.read(decode(films.load(row.film.sha256)))
        refused, found = reading.reason or "", reading.findings
    except Refusal as refusal:
        refused = refusal.code
    except (films.FilmMissing, films.FilmDamaged):
        refused = "film_missing"
    own = reader.release.operating_points
    ShadowReading.objects.bulk_create(
        [
            ShadowReading(
                analysis=row,
                release=release,
                refused=refused,
                probabilities={code: float(value) for code, value in (found or {}).items()},
                thresholds={code: site.get(code, own[code].threshold) for code in found or {}},
            )
        ],
        ignore_conflicts=True,
    )


def compare(user: User) -> Comparison | None:
    """Return how the silent release differs from what was shown; None where none runs."""
    require(user, Capability.view_quality)
    release = present().shadow_release
    if not release:
        return None
    rows = list(
        ShadowReading.objects.filter(release=release)
        .order_by("-id")
        .values("analysis_id", "analysis__status", "refused", "probabilities", "thresholds")[
            :COMPARED
        ]
    )
    read = {row["analysis_id"]: row for row in rows if not row["refused"]}
    both = [key for key, row in read.items() if row["analysis__status"] == Status.SUCCEEDED]
    marked = _marks_of_active(both)
    shadow = {
        key: {code for code, p in row["probabilities"].items() if p >= row["thresholds"][code]}
        for key, row in read.items()
        if key in marked
    }
    return Comparison(
        release=release,
        films=len(both),
        refused_active=sum(row["analysis__status"] == Status.REFUSED for row in read.values()),
        refused_shadow=sum(
            bool(row["refused"]) and row["analysis__status"] == Status.SUCCEEDED for row in rows
        ),
        findings=_compared(marked, shadow, _verdicts(both)),
    )


def _marks_of_active(analysis_ids: list[UUID]) -> dict[UUID, set[str]]:
    """Return which findings were marked, for every analysis, those without marks too."""
    marked: dict[UUID, set[str]] = {key: set() for key in analysis_ids}
    rows = Finding.objects.filter(analysis_id__in=list(marked), above=True)
    for key, code in rows.values_list("analysis_id", "code"):
        marked[key].add(code)
    return marked


def _verdicts(analysis_ids: list[UUID]) -> dict[UUID, dict[str, bool]]:
    """Return what people said is there, for every finding that they judged or added."""
    said: dict[UUID, dict[str, bool]] = defaultdict(dict)
    rows = Reading.objects.filter(analysis_id__in=analysis_ids).order_by("version")
    for key, findings, added in rows.values_list("analysis_id", "findings", "added"):
        for code, verdict in findings.items():
            if verdict != Reading.Verdict.UNSURE:
                said[key][code] = verdict == Reading.Verdict.AGREE
        for item in added:
            said[key][item["code"]] = True
    return said


def _compared(
    active: Mapping[UUID, set[str]],
    shadow: Mapping[UUID, set[str]],
    said: Mapping[UUID, Mapping[str, bool]],
) -> list[Compared]:
    codes = sorted({code for marks in (*active.values(), *shadow.values()) for code in marks})
    rows = []
    for code in codes:
        one = {key for key, marks in active.items() if code in marks}
        other = {key for key, marks in shadow.items() if code in marks}
        judged = {key for key, verdicts in said.items() if code in verdicts}
        right = {key for key in judged if said[key][code]}
        rows.append(
            Compared(
                code=code,
                active=len(one),
                shadow=len(other),
                both=len(one & other),
                judged_active=len(one & judged),
                right_active=len(one & right),
                judged_shadow=len(other & judged),
                right_shadow=len(other & right),
            )
        )
    return rows
