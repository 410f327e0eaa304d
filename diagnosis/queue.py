"""The queue of analyses in PostgreSQL: the only writer of Analysis.status.

Every move is one conditional UPDATE whose origins come from TRANSITIONS, so that of two who
try the same move one sees a row count of 0. Times are the database's, never a machine's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, Exists, F, OuterRef, PositiveSmallIntegerField, Q, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from .models import WORKER_DEAD_S, Analysis, Finding, Lesion, WorkerHeartbeat
from .states import ACTIVE, FINAL_CHANNEL, Event, Status, origins, target

MAX_ATTEMPTS = 3
# A film that kills its worker each time must end, too: see give_back.
MAX_RELEASED = 10
# After this wait a film counts as the most urgent: old ones do not starve behind new ones.
MAX_WAIT_S = 900
# Waits before the second and the third attempt after a fault that passes.
BACK_OFF_S = (1, 5, 15)


class LeaseLost(Exception):  # noqa: N818 - a term, not a fault
    """The claim no longer holds: cancelled, reaped, or taken by another attempt."""


@dataclass(frozen=True)
class Claim:
    """One worker's hold on one analysis; attempt is the fence."""

    analysis_id: UUID
    film_id: UUID
    release: str
    worker: str
    attempt: int


@dataclass(frozen=True)
class FindingRow:
    """code, calibrated probability 0..1, its operating point's threshold, rank from 1."""

    code: str
    probability: float
    threshold: float
    rank: int


@dataclass(frozen=True)
class LesionRow:
    """box: x0, y0, x1, y1 as fractions of the upright film."""

    label: str
    score: float
    box: tuple[float, float, float, float]
    shown: bool


@dataclass(frozen=True)
class Outcome:
    """What a reading gives to its analysis; images maps a picture's name to its storage key."""

    quality: dict[str, object] = field(default_factory=dict)
    abnormal: float | None = None
    anomaly: dict[str, object] | None = None
    anatomy: dict[str, object] | None = None
    child: dict[str, object] | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    findings: Sequence[FindingRow] = ()
    lesions: Sequence[LesionRow] = ()


def lease_s() -> float:
    """Seconds for which a claim holds: longer than the watchdog lets one analysis run."""
    return 1.5 * settings.ANALYSIS_HARD_SECONDS


def claim_next(*, worker: str, max_triage: int = 5) -> Claim | None:
    """Take the most urgent waiting analysis: triage level, then the oldest; None if none waits.

    A film that has waited longer than MAX_WAIT_S counts as the most urgent.
    max_triage: a worker kept for urgent films takes none above this level.
    """
    waited_too_long = Q(created_at__lt=Now() - timedelta(seconds=MAX_WAIT_S))
    level = Case(
        When(waited_too_long, then=Value(1)),
        default=F("film__visit__triage_level"),
        output_field=PositiveSmallIntegerField(),
    )
    with transaction.atomic():
        row = (
            Analysis.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(status__in=origins(Event.CLAIM), available_at__lte=Now())
            .filter(film__visit__triage_level__lte=max_triage)
            .annotate(level=level)
            .order_by("level", "created_at", "id")
            .only("id", "film_id", "release", "attempt")
            .first()
        )
        if row is None:
            return None
        claim = Claim(row.id, row.film_id, row.release, worker, row.attempt + 1)
        moved = _move(
            Event.CLAIM,
            Q(id=row.id, attempt=row.attempt),
            attempt=claim.attempt,
            worker=worker,
            lease_until=_in(lease_s()),
            started_at=Now(),
        )
        return claim if moved else None


def renew(claim: Claim) -> None:
    """Lengthen the lease; raises LeaseLost when the claim no longer holds (a cancel, too)."""
    held = Analysis.objects.filter(_held(claim), status=Status.RUNNING)
    if not held.update(lease_until=_in(lease_s())):
        raise LeaseLost(str(claim.analysis_id))


def succeed(claim: Claim, outcome: Outcome) -> None:
    """Close the analysis with what was found, all in one transaction, or raise LeaseLost."""
    with transaction.atomic():
        _finish(Event.SUCCEED, claim, reason="", outcome=outcome)
        Finding.objects.bulk_create(
            Finding(
                analysis_id=claim.analysis_id,
                code=row.code,
                probability=row.probability,
                threshold=row.threshold,
                above=row.probability >= row.threshold,
                rank=row.rank,
            )
            for row in outcome.findings
        )
        Lesion.objects.bulk_create(
            Lesion(
                analysis_id=claim.analysis_id,
                label=row.label,
                score=row.score,
                shown=row.shown,
                **dict(zip(("x0", "y0", "x1", "y1"), row.box, strict=True)),
            )
            for row in outcome.lesions
        )


def refuse(claim: Claim, *, reason: str, outcome: Outcome | None = None) -> None:
    """Close the analysis because the film is unfit, or raise LeaseLost."""
    with transaction.atomic():
        _finish(Event.REFUSE, claim, reason=reason, outcome=outcome or Outcome())


def fail(claim: Claim, *, reason: str, incident: str = "") -> None:
    """Close the analysis for a fault of ours that will not pass, or raise LeaseLost."""
    _finish(Event.FAIL, claim, reason=reason, incident=incident)


def retry(claim: Claim, *, reason: str, incident: str = "") -> Status:
    """Queue the analysis again after a wait, or fail it when its attempts are used up."""
    row = Analysis.objects.filter(_held(claim)).values("attempt", "released").first()
    if row is None:
        raise LeaseLost(str(claim.analysis_id))
    used = row["attempt"] - row["released"]
    if used >= MAX_ATTEMPTS:
        fail(claim, reason=reason, incident=incident)
        return Status.FAILED
    wait_s = BACK_OFF_S[min(used, len(BACK_OFF_S)) - 1]
    if not _move(Event.RETRY, _held(claim), **_waiting(wait_s)):
        raise LeaseLost(str(claim.analysis_id))
    return Status.QUEUED


def cancel(analysis_id: UUID) -> bool:
    """Stop a waiting or running analysis; False when it was final already."""
    cancelled = bool(_move(Event.CANCEL, Q(id=analysis_id), **_ended("")))
    if cancelled:
        _announce(analysis_id)
    return cancelled


def reap() -> int:
    """Queue again, or fail, what nobody works on any more; returns how many rows moved.

    That is a lease that ran out, or one whose worker has shown no heartbeat since
    WORKER_DEAD_S: the second is found sooner and costs the film no attempt.
    """
    dead_since = Now() - timedelta(seconds=WORKER_DEAD_S)
    silent = WorkerHeartbeat.objects.filter(name=OuterRef("worker"), seen_at__lt=dead_since)
    released = give_back(Q(Exists(silent), started_at__lt=dead_since))
    expired = Q(lease_until__lt=Now())
    exhausted = Q(attempt__gte=F("released") + MAX_ATTEMPTS)
    failed = _move(Event.FAIL, expired & exhausted, **_ended("worker_lost"))
    queued = _move(Event.REAP, expired & ~exhausted, **_waiting(BACK_OFF_S[0]))
    return released + failed + queued


def release_worker(name: str) -> int:
    """Give back what the dead worker `name` held, at once and without counting the attempt.

    name: Celery's node name, or the part before its @
    """
    moved = give_back(Q(worker=name) | Q(worker__startswith=f"{name}@"))
    WorkerHeartbeat.objects.filter(Q(name=name) | Q(name__startswith=f"{name}@")).delete()
    return moved


def beat(*, worker: str, pid: int, state: str) -> None:
    """Leave a sign of life of the worker process."""
    WorkerHeartbeat.objects.bulk_create(
        [WorkerHeartbeat(name=worker, pid=pid, state=state, seen_at=Now())],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["pid", "state", "seen_at"],
    )


def forget_old_workers() -> int:
    """Drop the heartbeats of workers that have been gone for a day; returns how many."""
    old = WorkerHeartbeat.objects.filter(seen_at__lt=Now() - timedelta(days=1))
    return old.delete()[0]


def give_back(held: Q) -> int:
    """Queue again the running rows that match; a film that was given back too often fails."""
    too_often = Q(released__gte=MAX_RELEASED)
    failed = _move(Event.FAIL, held & too_often, **_ended("worker_lost"))
    changes = {**_waiting(0), "released": F("released") + 1}
    return failed + _move(Event.RELEASE, held & ~too_often, **changes)


def enqueue(*, film_id: UUID, release: str, requested_by_id: UUID | None) -> tuple[UUID, bool]:
    """Queue a reading of the film by the release; returns its id and whether it is new.

    While one is waiting or running for the same film and release, that one is returned.
    """
    while True:
        made = Analysis.objects.bulk_create(
            [Analysis(film_id=film_id, release=release, requested_by_id=requested_by_id)],
            ignore_conflicts=True,
        )
        active = Analysis.objects.filter(film_id=film_id, release=release, status__in=ACTIVE)
        found = active.values_list("id", flat=True).first()
        if found is not None:
            return found, found == made[0].id
        # The other one ended between the two statements.


def _move(event: Event, where: Q, **changes: Any) -> int:
    """Carry out the event on the rows that match and may move; returns how many moved."""
    rows = Analysis.objects.filter(where, status__in=origins(event))
    return rows.update(status=target(event), updated_at=Now(), **changes)


def _finish(
    event: Event, claim: Claim, *, reason: str, incident: str = "", outcome: Outcome | None = None
) -> None:
    changes: dict[str, Any] = {**_ended(reason), "incident": incident}
    if outcome is not None:
        for name in ("quality", "abnormal", "anomaly", "anatomy", "child", "timings_ms", "images"):
            changes[name] = getattr(outcome, name)
    if not _move(event, _held(claim), **changes):
        raise LeaseLost(str(claim.analysis_id))
    _announce(claim.analysis_id)


def _announce(analysis_id: UUID) -> None:
    """Wake whoever waits for the analysis, once this is committed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [FINAL_CHANNEL, str(analysis_id)])


def _held(claim: Claim) -> Q:
    return Q(id=claim.analysis_id, attempt=claim.attempt, worker=claim.worker)


def _in(seconds: float) -> Combinable:
    return Now() + timedelta(seconds=seconds)


def _ended(reason: str) -> dict[str, Any]:
    return {"lease_until": None, "finished_at": Now(), "reason": reason}


def _waiting(seconds: float) -> dict[str, Any]:
    return {
        "lease_until": None,
        "started_at": None,
        "worker": "",
        "available_at": _in(seconds),
    }
