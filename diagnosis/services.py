"""Every write about films and their analyses: validated, audited, and rung for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import Max, QuerySet
from django.db.models.functions import Now

from accounts.models import User
from accounts.permissions import Capability, require
from audit.services import record
from patients.models import Patient, Visit
from patients.services import attend
from xraydx.errors import Conflict, NotFound, UserError

from . import films, queue, selectors
from .models import Analysis, Film, FilmMove, Reading, Study, UploadKey
from .states import ACTIVE, FINAL, Status
from .uploads import KEY_LENGTH, AddedFilm, add_film, queue_reading, study_of

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
        film.save(update_fields=["study", "visit", "patient"])
        for patient_id in {move.from_patient_id, move.to_patient_id}:
            record(
                actor=by,
                action="film.move",
                target=film,
                patient_id=patient_id,
                detail={"from_visit": move.from_visit_id, "to_visit": move.to_visit_id},
            )
    return move


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


def sign_reading(
    *,
    analysis: Analysis,
    by: User,
    verdict: str,
    findings: Mapping[str, str] | None = None,
    note: str = "",
) -> Reading:
    """Store what a person read beside what the networks found; an amendment is a further version.

    findings: code → verdict on that one. raises: Forbidden, UserError, Conflict
    """
    patient_id = analysis.film.patient_id
    require(by, Capability.sign_reading, target=analysis, patient_id=patient_id)
    findings = _checked_findings(analysis, findings or {})
    if not {verdict, *findings.values()} <= set(Reading.Verdict.values):
        raise UserError("verdict_unknown", field="verdict")
    with transaction.atomic():
        held = Analysis.objects.select_for_update().get(id=analysis.id)
        if held.status != Status.SUCCEEDED:
            raise Conflict("analysis_not_read")
        last = held.readings.aggregate(last=Max("version"))["last"] or 0
        reading = Reading.objects.create(
            analysis=held,
            version=last + 1,
            verdict=verdict,
            findings=findings,
            note=note.strip(),
            signed_by=by,
        )
        record(
            actor=by,
            action="reading.sign",
            target=reading,
            patient_id=patient_id,
            detail={"analysis": analysis.id, "version": reading.version},
        )
        attend(by, analysis.film.patient)
    return reading


def _checked_findings(analysis: Analysis, findings: Mapping[str, str]) -> dict[str, str]:
    known = set(analysis.findings.values_list("code", flat=True))
    if not findings.keys() <= known:
        raise UserError("finding_unknown", field="findings")
    return dict(findings)


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


def view_image(*, analysis_id: UUID, name: str, by: User) -> bytes:
    """The PNG picture of that name, recorded as viewed. raises: NotFound"""
    analysis = selectors.analysis_for(by, analysis_id)
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


def forget_old_keys() -> int:
    """Drop idempotency keys that no client repeats any more; returns how many."""
    old = UploadKey.objects.filter(created_at__lt=Now() - KEY_KEPT)
    return old.delete()[0]


def erase_films_of(patient: Patient, by: User) -> None:
    """Remove the patient's films for good, called inside the erasing transaction.

    Bytes and pictures go once it is committed; bytes that another patient's film shares stay.
    """
    rows = Film.objects.filter(patient=patient)
    contents = set(rows.values_list("sha256", flat=True))
    analyses = Analysis.objects.filter(film__in=rows)
    pictured = list(analyses.values_list("id", flat=True))
    count = rows.count()
    rows.delete()
    Study.objects.filter(visit__patient=patient).delete()
    record(
        actor=by,
        action="film.erase",
        target=patient,
        patient_id=patient.id,
        detail={"films": count},
    )
    transaction.on_commit(partial(_drop, contents, pictured))


def _drop(contents: set[str], pictured: list[UUID]) -> None:
    for analysis_id in pictured:
        films.drop_pictures(analysis_id)
    for sha256 in contents:
        films.drop_unreferenced(sha256)


def _active_analyses(film: Film) -> list[UUID]:
    return list(film.analyses.filter(status__in=ACTIVE).values_list("id", flat=True))


def _checked_reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise UserError("reason_missing", field="reason")
    if len(reason) > REASON_LENGTH:
        raise UserError("reason_too_long", field="reason")
    return reason
