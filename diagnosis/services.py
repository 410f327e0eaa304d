"""Every write about films and their analyses: validated, audited, and rung for."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from accounts.models import User
from accounts.permissions import Capability, require
from audit.services import record
from ml.imaging.decode import read_header
from ml.refusal import Refusal
from patients.models import Visit
from xraydx.errors import Conflict, NotFound, UserError

from . import depth, films, queue, selectors
from .models import Analysis, Film, FilmMove, Reading, UploadKey
from .readings import is_hidden_from, sign_reading
from .removal import erase_films_of
from .states import ACTIVE, FINAL, Status
from .uploads import KEY_LENGTH, AddedFilm, add_film, is_of, queue_reading, study_of

__all__ = [
    "KEY_LENGTH",
    "AddedFilm",
    "add_film",
    "cancel_analysis",
    "delete_film",
    "erase_films_of",
    "forget_old_keys",
    "list_analyses",
    "list_films",
    "move_film",
    "request_analysis",
    "sign_reading",
    "view_analysis",
    "view_film",
    "view_image",
]

REASON_LENGTH = 400
KEY_KEPT = timedelta(days=7)


def request_analysis(*, film: Film, by: User) -> tuple[Analysis, bool]:
    """Have the film read again by the present release; returns the analysis and whether it is new.

    While one by that release waits or runs, that one is returned.
    """
    require(by, Capability.rerun_analysis, target=film, patient_id=film.patient_id)
    release = selectors.current_release()
    with transaction.atomic():
        return queue_reading(film, release, by)


def cancel_analysis(*, analysis: Analysis, by: User) -> None:
    """Stop a waiting or running analysis. raises: Conflict("analysis_final")"""
    patient_id = analysis.film.patient_id
    require(by, Capability.cancel_analysis, target=analysis, patient_id=patient_id)
    with transaction.atomic():
        if not queue.cancel(analysis.id):
            raise Conflict("analysis_final")
        record(actor=by, action="analysis.cancel", target=analysis, patient_id=patient_id)


def move_film(*, film: Film, visit: Visit, reason: str, by: User) -> FilmMove:
    """File the film under another visit, of the same or another patient; audited on both sides.

    visit: one that `by` may see. raises: UserError (422), Conflict("film_already_there")
    """
    require(by, Capability.move_film, target=film, patient_id=film.patient_id)
    reason = _checked_reason(reason)
    with transaction.atomic():
        film = _held_for_move(film, visit)
        move = FilmMove.objects.create(
            film=film,
            from_visit_id=film.visit_id,
            from_patient_id=film.patient_id,
            to_visit=visit,
            to_patient_id=visit.patient_id,
            reason=reason,
            moved_by=by,
        )
        film.study = study_of(visit, film.study.study_uid)
        film.visit = visit
        film.patient_id = visit.patient_id
        film.patient_id_matches = _compared_anew(film, visit)
        film.save(update_fields=["study", "visit", "patient", "patient_id_matches"])
        for patient_id in {move.from_patient_id, move.to_patient_id}:
            record(
                actor=by,
                action="film.move",
                target=film,
                patient_id=patient_id,
                detail={"from_visit": move.from_visit_id, "to_visit": move.to_visit_id},
            )
    return move


def _compared_anew(film: Film, visit: Visit) -> bool | None:
    """Whether the file names the patient whom it is moved to; None where nobody can tell."""
    if film.patient_id_matches is None:
        return None
    try:
        return is_of(visit.patient, read_header(films.load(film.sha256)))
    except (films.FilmMissing, films.FilmDamaged, films.StorageUnavailable, Refusal):
        return None


def _held_for_move(film: Film, visit: Visit) -> Film:
    """The film's row, held until the transaction ends; raises where it cannot go there."""
    films.lock_content(film.sha256)
    held = Film.objects.select_for_update().get(id=film.id)
    if held.deleted_at is not None:
        raise NotFound
    if held.visit_id == visit.id:
        raise UserError("film_not_moved", field="visit")
    there = Film.objects.filter(
        patient_id=visit.patient_id, sha256=held.sha256, deleted_at__isnull=True
    )
    if there.exclude(id=held.id).exists():
        raise Conflict("film_already_there", field="visit")
    return held


def delete_film(*, film: Film, by: User) -> None:
    """Take the film out of the history and stop its reading; its bytes stay until erased."""
    require(by, Capability.delete_film, target=film, patient_id=film.patient_id)
    with transaction.atomic():
        deleted = Film.objects.filter(id=film.id, deleted_at__isnull=True)
        if not deleted.update(deleted_at=Now()):
            raise NotFound
        for analysis_id in _active_analyses(film):
            queue.cancel(analysis_id)
        record(actor=by, action="film.delete", target=film, patient_id=film.patient_id)


def view_film(*, film_id: UUID, by: User) -> Film:
    """The film that `by` may see, with an audit record of the view. raises: NotFound"""
    film = selectors.film_for(by, film_id)
    record(actor=by, action="film.view", target=film, patient_id=film.patient_id)
    return film


def view_analysis(*, analysis_id: UUID, by: User) -> Analysis:
    """The analysis that `by` may see; a look at a result is recorded. raises: NotFound"""
    analysis = selectors.analysis_for(by, analysis_id)
    if analysis.status in FINAL:
        patient_id = analysis.film.patient_id
        record(actor=by, action="analysis.view", target=analysis, patient_id=patient_id)
    return analysis


def list_films(*, visit: Visit, by: User) -> QuerySet[Film]:
    """The films of a visit that `by` may see, newest first, with an audit record of the look."""
    record(actor=by, action="film.list", target=visit, patient_id=visit.patient_id)
    return selectors.films_in_visit(visit)


def list_analyses(
    *, by: User, status: str | None = None, since: datetime | None = None
) -> QuerySet[Analysis]:
    """The analyses that `by` may see, with an audit record of the look. raises: UserError"""
    found = selectors.analyses_for(by, status=status, since=since)
    record(actor=by, action="analysis.list", detail={"status": status or "all"})
    return found


def list_readings(*, by: User, since: datetime | None = None) -> QuerySet[Reading]:
    """The signed readings that `by` may see, with an audit record of the look."""
    record(actor=by, action="reading.list")
    return selectors.readings_for(by, since=since)


def view_readings(*, analysis_id: UUID, by: User) -> QuerySet[Reading]:
    """The versions that were signed of an analysis, the look recorded. raises: NotFound"""
    analysis = selectors.analysis_alone_for(by, analysis_id)
    patient_id = analysis.film.patient_id
    record(actor=by, action="reading.list", target=analysis, patient_id=patient_id)
    return selectors.readings_for(by).filter(analysis=analysis)


def view_reading(*, reading_id: UUID, by: User) -> Reading:
    """The signed reading that `by` may see, the look recorded. raises: NotFound"""
    reading = selectors.reading_for(by, reading_id)
    patient_id = reading.analysis.film.patient_id
    record(actor=by, action="reading.view", target=reading, patient_id=patient_id)
    return reading


def view_image(*, analysis_id: UUID, name: str, by: User) -> bytes:
    """The PNG picture of that name, recorded as viewed. raises: NotFound"""
    analysis = selectors.analysis_alone_for(by, analysis_id)
    key = analysis.images.get(name)
    if key is None:
        raise NotFound
    try:
        picture = films.load_picture(key)
    except films.FilmMissing as error:
        raise NotFound from error
    record(
        actor=by,
        action="image.view",
        target=analysis,
        patient_id=analysis.film.patient_id,
        detail={"image": name},
    )
    return picture


def view_depth(*, analysis_id: UUID, by: User) -> bytes:
    """The film at full depth, laid out as diagnosis.depth says. raises: NotFound, UserError"""
    analysis = selectors.analysis_alone_for(by, analysis_id)
    if "film" not in analysis.images and not depth.stands_alone(analysis):
        raise NotFound
    try:
        packed = depth.load(analysis)
    except (films.FilmMissing, films.FilmDamaged, Refusal) as error:
        raise NotFound from error
    except films.StorageUnavailable as error:
        raise UserError("storage_unavailable", status=503) from error
    record(
        actor=by,
        action="image.view",
        target=analysis,
        patient_id=analysis.film.patient_id,
        detail={"image": depth.NAME},
    )
    return packed


def view_prior(*, film_id: UUID, prior_id: UUID, by: User) -> tuple[Film, Film]:
    """A film and an earlier one of the same patient, the look recorded. raises: NotFound"""
    film, prior = selectors.film_for(by, film_id), selectors.film_for(by, prior_id)
    if prior.patient_id != film.patient_id or prior.id == film.id:
        raise NotFound
    record(actor=by, action="film.compare", target=prior, patient_id=prior.patient_id)
    return film, prior


def view_report(*, analysis_id: UUID, by: User, form: str) -> Analysis:
    """The analysis whose report is shown or taken away, on record. raises: NotFound

    form: "page" or "pdf"
    """
    analysis = selectors.analysis_for(by, analysis_id)
    if analysis.status != Status.SUCCEEDED or is_hidden_from(by, analysis):
        raise NotFound
    record(
        actor=by,
        action="report.view",
        target=analysis,
        patient_id=analysis.film.patient_id,
        detail={"form": form},
    )
    return analysis


def picture_of(analysis: Analysis) -> bytes | None:
    """The film's picture for a report that is on record already; None where there is none."""
    key = analysis.images.get("film")
    try:
        return films.load_picture(key) if key else None
    except (films.FilmMissing, films.StorageUnavailable):
        return None


def forget_old_keys() -> int:
    """Drop idempotency keys that no client repeats any more; returns how many."""
    old = UploadKey.objects.filter(created_at__lt=Now() - KEY_KEPT)
    return old.delete()[0]


def _active_analyses(film: Film) -> list[UUID]:
    return list(film.analyses.filter(status__in=ACTIVE).values_list("id", flat=True))


def _checked_reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise UserError("reason_missing", field="reason")
    if len(reason) > REASON_LENGTH:
        raise UserError("reason_too_long", field="reason")
    return reason
