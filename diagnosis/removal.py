"""Deleted films: brought back, erased for good, and bytes that nothing names swept away."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from accounts.permissions import Capability, require
from audit.services import record
from patients.models import Patient
from patients.paging import Page, page_of
from patients.services import erase_deleted_before
from policy.selectors import present
from xraydx.errors import Conflict, NotFound

from . import films
from .models import Analysis, Film, Study

PAGE_SIZE = 50
FOLDERS = tuple(f"{number:02x}" for number in range(256))
# An upload's bytes lie there before its row; no upload takes as long.
SWEEP_AFTER = timedelta(hours=6)


def look_through_deleted(by: User, cursor: str = "") -> Page[Film]:
    """One page of deleted films of patients who are there, the last deleted first, on record."""
    require(by, Capability.restore_film)
    page = page_of(
        _deleted().select_related("patient", "visit", "uploaded_by"),
        columns=("deleted_at", "id"),
        descending=True,
        cursor=cursor,
        size=PAGE_SIZE,
    )
    record(actor=by, action="film.list_deleted", detail={"films": [row.pk for row in page.rows]})
    return page


def view_deleted(*, film_id: UUID, by: User) -> Film:
    """A deleted film, for administrators, the look on record. raises: NotFound"""
    require(by, Capability.restore_film)
    film = _deleted().select_related("patient", "uploaded_by").filter(id=film_id).first()
    if film is None:
        raise NotFound
    record(actor=by, action="film.view", target=film, patient_id=film.patient_id)
    return film


def restore_film(*, film: Film, by: User) -> None:
    """Bring a deleted film back into its patient's history.

    raises: Conflict("film_already_there") where the same bytes were sent again since
    """
    require(by, Capability.restore_film, target=film, patient_id=film.patient_id)
    with transaction.atomic():
        held = _held(film)
        there = Film.objects.filter(
            patient_id=held.patient_id, sha256=held.sha256, deleted_at__isnull=True
        )
        if there.exists():
            raise Conflict("film_already_there")
        held.deleted_at = None
        held.save(update_fields=["deleted_at"])
        record(actor=by, action="film.restore", target=held, patient_id=held.patient_id)


def erase_film(*, film: Film, by: User) -> None:
    """Remove a deleted film for good, with its readings, pictures and, unless shared, its bytes."""
    require(by, Capability.erase_film, target=film, patient_id=film.patient_id)
    with transaction.atomic():
        held = _held(film)
        record(actor=by, action="film.erase", target=held, patient_id=held.patient_id)
        _erase(Film.objects.filter(id=held.id))
        Study.objects.filter(id=held.study_id, films__isnull=True).delete()


def erase_films_of(patient: Patient, by: User | None) -> None:
    """Remove the patient's films for good, called inside the erasing transaction."""
    count = _erase(Film.objects.filter(patient=patient))
    Study.objects.filter(visit__patient=patient).delete()
    record(
        actor=by,
        action="film.erase",
        target=patient,
        patient_id=patient.id,
        detail={"films": count},
    )


def erase_expired() -> int:
    """Erase the patients whose time of being deleted only is over; returns how many."""
    days = present().keep_deleted_days
    if days is None:
        return 0
    return erase_deleted_before(timezone.now() - timedelta(days=days))


def sweep(folders: Iterable[str] = FOLDERS) -> int:
    """Remove films and pictures that no row names, as a broken transaction leaves them.

    folders: of FOLDERS; returns: how many films and analyses lost what lay there of them
    raises: films.StorageUnavailable
    """
    stored_before = timezone.now() - SWEEP_AFTER
    removed = 0
    for folder in folders:
        stored = films.stored_films(folder)
        named = set(Film.objects.filter(sha256__in=stored).values_list("sha256", flat=True))
        for sha256 in stored - named:
            if films.stored_at(sha256) < stored_before:
                removed += films.drop_unreferenced(sha256)
        # An analysis is there before its pictures, so that their age says nothing more.
        pictured = films.pictured_analyses(folder)
        known = set(Analysis.objects.filter(id__in=pictured).values_list("id", flat=True))
        for analysis_id in pictured - known:
            films.drop_pictures(analysis_id)
            removed += 1
        films.drop_parts(folder, stored_before)
    return removed


def _deleted() -> QuerySet[Film]:
    return Film.objects.filter(deleted_at__isnull=False, patient__deleted_at__isnull=True)


def _held(film: Film) -> Film:
    """The film's row, still deleted, held until the transaction ends. raises: NotFound"""
    films.lock_content(film.sha256)
    held = _deleted().select_for_update(of=("self",)).filter(id=film.id).first()
    if held is None:
        raise NotFound
    return held


def _erase(rows: QuerySet[Film]) -> int:
    """Delete the rows; bytes and pictures go once that is committed. Returns how many."""
    contents = set(rows.values_list("sha256", flat=True))
    pictured = list(Analysis.objects.filter(film__in=rows).values_list("id", flat=True))
    count = rows.count()
    rows.delete()
    # Robust: the rows are gone for good, and what the storage keeps is swept later.
    transaction.on_commit(partial(_drop, contents, pictured), robust=True)
    return count


def _drop(contents: set[str], pictured: list[UUID]) -> None:
    for analysis_id in pictured:
        films.drop_pictures(analysis_id)
    for sha256 in contents:
        films.drop_unreferenced(sha256)
