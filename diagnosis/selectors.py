"""Every read of films and analyses, permission included; what one may not see is not there."""

import time
from contextlib import closing
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User
from audit.services import record_refusal
from ml import bundle
from patients.models import Patient, Visit
from patients.selectors import visible_patients
from policy.rules import Policy
from policy.selectors import active_release, present
from xraydx.errors import NotFound, UserError

from .models import WORKER_DEAD_S, Analysis, Film, FilmMove, Finding, Reading, WorkerHeartbeat
from .states import FINAL, FINAL_CHANNEL, Status

PROMINENT = 3
# Some finals are not announced, and behind some connection poolers none is.
LOOK_AGAIN_S = 0.25


def films_of(user: User) -> QuerySet[Film]:
    """The films that the user may see."""
    return Film.objects.filter(deleted_at__isnull=True, patient__in=visible_patients(user))


def film_for(user: User, film_id: UUID) -> Film:
    """The film with its visit, patient and analyses. raises: NotFound"""
    film = (
        films_of(user)
        .filter(id=film_id)
        .select_related("patient", "visit", "uploaded_by")
        .prefetch_related(_analyses_newest_first())
        .first()
    )
    if film is None:
        _refuse(user, Film.objects.filter(id=film_id, deleted_at__isnull=True).first())
        raise NotFound
    return film


def age_on_film(film: Film) -> int | None:
    """Return the patient's age in years when the film was sent, as far as it is known now."""
    return film.patient.age_on(timezone.localdate(film.uploaded_at))


def films_in_visit(visit: Visit) -> QuerySet[Film]:
    """The films of a visit that the caller may see, newest first."""
    films = Film.objects.filter(visit=visit, deleted_at__isnull=True)
    return films.prefetch_related(_analyses_newest_first()).order_by("-uploaded_at", "id")


def history_for(user: User, patient: Patient) -> QuerySet[Film]:
    """The patient's films, newest first, each with its analyses, findings, readings and moves."""
    return (
        films_of(user)
        .filter(patient=patient)
        .select_related("visit", "uploaded_by")
        .prefetch_related(_analyses_newest_first(), "moves__moved_by")
        .order_by("-uploaded_at", "id")
    )


def films_moved_away(patient: Patient) -> QuerySet[FilmMove]:
    """Films that were filed under the patient by mistake; the caller may see the patient."""
    moves = FilmMove.objects.filter(from_patient=patient).exclude(to_patient=patient)
    return moves.select_related("moved_by").order_by("-moved_at", "id")


def analyses_of(user: User) -> QuerySet[Analysis]:
    """The analyses of the films that the user may see."""
    return Analysis.objects.filter(film__in=films_of(user))


def analysis_for(user: User, analysis_id: UUID) -> Analysis:
    """The analysis with its film, findings, lesions and readings. raises: NotFound"""
    found = _with_results(analyses_of(user)).filter(id=analysis_id).first()
    if found is None:
        row = Analysis.objects.filter(id=analysis_id, film__deleted_at__isnull=True).first()
        _refuse(user, row.film if row else None)
        raise NotFound
    return found


def analysis_alone_for(user: User, analysis_id: UUID) -> Analysis:
    """The analysis with its film and nothing that was found. raises: NotFound"""
    found = analyses_of(user).select_related("film").filter(id=analysis_id).first()
    return found or analysis_for(user, analysis_id)


def analyses_for(
    user: User, *, status: str | None = None, since: datetime | None = None
) -> QuerySet[Analysis]:
    """The analyses in that status and changed since then (inclusive), unordered.

    raises: UserError("status_unknown")
    """
    found = _with_results(analyses_of(user))
    if status:
        if status not in Status.values:
            raise UserError("status_unknown", field="status")
        found = found.filter(status=status)
    if since:
        found = found.filter(updated_at__gte=since)
    return found.order_by()


def newest_analysis(film: Film) -> Analysis | None:
    """The film's last analysis: the one that was asked for last."""
    return film.analyses.order_by("-created_at", "id").first()


def wait_until_final(analysis_id: UUID, seconds: float) -> bool:
    """Look until the analysis is final or the time is over; returns whether it is final."""
    give_up_at = time.monotonic() + seconds
    statuses = Analysis.objects.filter(id=analysis_id).values_list("status", flat=True)
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {FINAL_CHANNEL}")
        try:
            while (status := statuses.first()) is not None and status not in FINAL:
                left_s = give_up_at - time.monotonic()
                if left_s <= 0:
                    return False
                _hear(analysis_id, min(left_s, LOOK_AGAIN_S))
            return True
        finally:
            cursor.execute(f"UNLISTEN {FINAL_CHANNEL}")


def _hear(analysis_id: UUID, seconds: float) -> None:
    """Wait until the analysis is announced as final, or the time is over."""
    with closing(connection.connection.notifies(timeout=seconds)) as notices:
        for notice in notices:
            if notice.payload == str(analysis_id):
                return


def readings_for(user: User, *, since: datetime | None = None) -> QuerySet[Reading]:
    """What people signed about the films that the user may see, unordered.

    since: signed then or later; each says whether it is the last of its analysis (is_last)
    """
    later = Reading.objects.filter(analysis=OuterRef("analysis"), version__gt=OuterRef("version"))
    found = Reading.objects.filter(analysis__film__in=films_of(user))
    found = found.select_related("analysis__film", "signed_by").annotate(is_last=~Exists(later))
    return (found.filter(signed_at__gte=since) if since else found).order_by()


def reading_for(user: User, reading_id: UUID) -> Reading:
    """The signed reading with its film. raises: NotFound"""
    found = readings_for(user).filter(id=reading_id).first()
    if found is None:
        row = Reading.objects.filter(id=reading_id, analysis__film__deleted_at__isnull=True).first()
        _refuse(user, row.analysis.film if row else None)
        raise NotFound
    return found


def is_marked(finding: Finding, policy: Policy) -> bool:
    """Whether the finding is above its operating point, and the site has not muted it."""
    return finding.above and finding.code not in policy.muted


def findings_to_show(analysis: Analysis, policy: Policy | None = None) -> list[Finding]:
    """The three most probable and all that are marked; a dangerous one first.

    policy: the site's rules, asked for where None
    """
    policy = policy or present()
    rows = list(analysis.findings.all())
    shown = [row for row in rows if row.rank <= PROMINENT or is_marked(row, policy)]

    def order(row: Finding) -> tuple[int, int]:
        alarming = is_marked(row, policy) and row.code in policy.dangerous
        last = len(policy.dangerous)
        return (policy.dangerous.index(row.code) if alarming else last, row.rank)

    return sorted(shown, key=order)


def live_workers() -> QuerySet[WorkerHeartbeat]:
    """The workers whose last sign of life is young enough to count on them."""
    alive_since = Now() - timedelta(seconds=WORKER_DEAD_S)
    able = [WorkerHeartbeat.State.IDLE, WorkerHeartbeat.State.READING]
    return WorkerHeartbeat.objects.filter(seen_at__gte=alive_since, state__in=able)


def current_release(policy: Policy | None = None) -> str:
    """The name of the release that new analyses are read with. raises: UserError("no_release")

    policy: the site's rules, asked for where None
    """
    try:
        return active_release(policy)
    except bundle.ReleaseError as error:
        raise UserError("no_release", status=503) from error


def _refuse(user: User, film: Film | None) -> None:
    """Record that somebody asked for a film that is there, but not open to them."""
    if film is not None:
        record_refusal(
            actor=user, reason="patient_not_visible", target=film, patient_id=film.patient_id
        )


def _with_results(found: QuerySet[Analysis]) -> QuerySet[Analysis]:
    return found.select_related("film__patient", "film__visit").prefetch_related(
        "findings", "lesions", _readings()
    )


def _analyses_newest_first() -> "Prefetch[str, QuerySet[Analysis], str]":
    analyses = Analysis.objects.order_by("-created_at", "id").prefetch_related(
        "findings", "lesions", _readings()
    )
    return Prefetch("analyses", queryset=analyses)


def _readings() -> "Prefetch[str, QuerySet[Reading], str]":
    return Prefetch("readings", queryset=Reading.objects.select_related("signed_by"))
