"""How long records are kept: whom the site's rule takes out, and whom it never touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.models import User
from accounts.permissions import Capability, require
from audit.services import record
from patients.models import Patient, Visit
from patients.services import delete_patient
from policy.rules import KEEP_LEAST_YEARS
from policy.selectors import present

from .models import Analysis, Film, FilmMove, Reading
from .states import Status

DAYS_A_YEAR = 365.25
SHOWN = 100
AT_ONCE = 100


@dataclass(frozen=True)
class Preview:
    """What the rule would take out now.

    unsigned: patients as old whom it leaves, because a film of theirs has no signature
    rows: the longest away first, SHOWN at most, each with films_kept and last_at
    """

    years: int
    patients: int
    films: int
    unsigned: int
    rows: Sequence[Patient]


def preview(by: User, years: int) -> Preview:
    """Count and list whom a rule of so many years would take out now, on record."""
    require(by, Capability.erase_patient)
    due, left = _due(years), _old(years).filter(_has_unsigned_film())
    kept = Count("films", filter=Q(films__deleted_at__isnull=True), distinct=True)
    last_at = Coalesce(Max("visits__opened_at"), "created_at")
    rows = list(due.annotate(films_kept=kept, last_at=last_at).order_by("last_at", "id")[:SHOWN])
    record(
        actor=by,
        action="retention.preview",
        detail={"years": years, "patients": [row.pk for row in rows]},
    )
    films = Film.objects.filter(patient__in=due, deleted_at__isnull=True).count()
    return Preview(years, due.count(), films, left.count(), rows)


def delete_overdue() -> int:
    """Take out whose time is over by the site's rule, a hundred at most; returns how many.

    They stand among the deleted, where an administrator brings them back, until the rule on
    deleted patients erases them.
    """
    years = present().keep_years
    if years is None:
        return 0
    due = list(_due(years).order_by("updated_at")[:AT_ONCE])
    for patient in due:
        delete_patient(patient=patient, by=None)
    return len(due)


def _due(years: int) -> QuerySet[Patient]:
    return _old(years).exclude(_has_unsigned_film())


def _old(years: int) -> QuerySet[Patient]:
    """Patients of whom nothing happened since: no visit, film, move, change or signature."""
    since = cutoff(years)
    visits = Visit.objects.filter(patient=OuterRef("pk"))
    recent = Q(closed_at__isnull=True) | Q(closed_at__gte=since) | Q(updated_at__gte=since)
    films = Film.objects.filter(patient=OuterRef("pk"), uploaded_at__gte=since)
    signed = Reading.objects.filter(analysis__film__patient=OuterRef("pk"), signed_at__gte=since)
    moved = FilmMove.objects.filter(to_patient=OuterRef("pk"), moved_at__gte=since)
    return Patient.objects.filter(
        ~Exists(visits.filter(recent)),
        ~Exists(films),
        ~Exists(signed),
        ~Exists(moved),
        deleted_at__isnull=True,
        updated_at__lt=since,
    )


def _has_unsigned_film() -> Exists:
    """A film without signature that was not refused: somebody may still have to read it."""
    readings = Reading.objects.filter(analysis__film=OuterRef("pk"))
    other = Analysis.objects.filter(film=OuterRef("pk")).exclude(status=Status.REFUSED)
    films = Film.objects.filter(patient=OuterRef("pk"), deleted_at__isnull=True)
    return Exists(films.filter(~Exists(readings), Exists(other)))


def cutoff(years: int) -> datetime:
    """The moment before which a record is old. raises: ValueError below KEEP_LEAST_YEARS"""
    if years < KEEP_LEAST_YEARS:
        raise ValueError(f"records are kept for {KEEP_LEAST_YEARS} years at least: {years}")
    return timezone.now() - timedelta(days=DAYS_A_YEAR * years)
