"""Taking in a film: from a file that somebody sent to a film that waits to be read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, TypeAlias

from django.conf import settings
from django.core.files.base import File
from django.db import connection, transaction

from accounts.models import User
from accounts.permissions import Capability, require
from audit.services import record
from ml.imaging.decode import Header, read_header
from ml.refusal import Refusal
from patients.folding import fold_number
from patients.models import Patient, Visit
from patients.services import attend
from xraydx.errors import Conflict, UserError

from . import films, queue, selectors, tasks
from .models import Analysis, Film, Study, UploadKey
from .states import Status

Upload: TypeAlias = "File[bytes] | IO[bytes]"

KEY_LENGTH = 200


@dataclass(frozen=True)
class AddedFilm:
    """created: whether the film is new, or was there already with these bytes."""

    film: Film
    analysis: Analysis
    created: bool


def add_film(
    *,
    visit: Visit,
    file: Upload,
    by: User,
    confirm_patient: bool = False,
    idempotency_key: str | None = None,
) -> AddedFilm:
    """File a film under the visit and have it read.

    raises: UserError (422) where no decoder opens the file or the key was used for another,
    Conflict (409) where the film may be another patient's and confirm_patient is not set.
    """
    require(by, Capability.upload_film, target=visit, patient_id=visit.patient_id)
    if idempotency_key is not None:
        _check_key(idempotency_key)
    with films.contents_of(file) as data:
        if len(data) > settings.UPLOAD_MAX_BYTES:
            raise UserError("too_large", field="file")
        digest, header = _looked_at(data)
        new = _New(visit, data, digest, header, by)
        return _add(new, confirm_patient, idempotency_key)


@dataclass(frozen=True)
class _New:
    """A file that a decoder opens, and where it is to go."""

    visit: Visit
    data: films.Contents
    digest: films.Digest
    header: Header
    by: User


def _add(new: _New, confirmed: bool, idempotency_key: str | None) -> AddedFilm:
    """Film, analysis and key in one transaction. raises: as add_film"""
    visit, digest, by = new.visit, new.digest, new.by
    release = selectors.current_release()
    with transaction.atomic():
        if idempotency_key is not None:
            earlier = _earlier_upload(by, idempotency_key, visit, digest)
            if earlier is not None:
                return earlier
        film, created = _filed(new, confirmed)
        analysis = _analysis_of(film, release, by)
        if idempotency_key is not None:
            UploadKey.objects.create(
                user=by,
                key=idempotency_key,
                visit=visit,
                sha256=digest.sha256,
                film=film,
                analysis=analysis,
            )
    return AddedFilm(film, analysis, created)


def _filed(new: _New, confirmed: bool) -> tuple[Film, bool]:
    """The patient's film with these bytes, and whether it is new. raises: Conflict"""
    visit, digest, by = new.visit, new.digest, new.by
    films.lock_content(digest.sha256)
    film = Film.objects.filter(
        patient_id=visit.patient_id, sha256=digest.sha256, deleted_at__isnull=True
    ).first()
    if film is not None:
        return film, False
    doubts = _doubts(visit.patient, digest.sha256, new.header)
    if doubts and not confirmed:
        raise Conflict(doubts[0], field="file")
    film = _create_film(visit, digest, new.header, by)
    _store(new.data, digest)
    record(
        actor=by,
        action="film.upload",
        target=film,
        patient_id=film.patient_id,
        detail={"confirmed": list(doubts)},
    )
    attend(by, visit.patient)
    return film, True


def _check_key(key: str) -> None:
    if not (0 < len(key) <= KEY_LENGTH and key.isascii() and key.isprintable()):
        raise UserError("idempotency_key_invalid", field="Idempotency-Key")


def _earlier_upload(by: User, key: str, visit: Visit, digest: films.Digest) -> AddedFilm | None:
    # The lock makes a second request with the same key wait for the first one's answer.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", [f"{by.pk}/{key}"])
    used = UploadKey.objects.filter(user=by, key=key).select_related("film", "analysis").first()
    if used is not None and used.film.deleted_at is not None:
        used.delete()
        used = None
    if used is None:
        return None
    if (used.visit_id, used.sha256) != (visit.id, digest.sha256):
        raise UserError("idempotency_key_reused", field="Idempotency-Key")
    return AddedFilm(used.film, used.analysis, created=False)


def _looked_at(data: films.Contents) -> tuple[films.Digest, Header]:
    """Hash the bytes while a helper process opens them."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        digest = pool.submit(films.measure, data)
        header = _header_of(data)
        return digest.result(), header


def _header_of(data: films.Contents) -> Header:
    try:
        return read_header(data)
    except Refusal as refusal:
        raise UserError(refusal.code, field="file") from refusal


def _doubts(patient: Patient, sha256: str, header: Header) -> tuple[str, ...]:
    """Codes of what speaks against this being the patient's film."""
    doubts = []
    if _names_another(patient, header.patient_id):
        doubts.append("patient_id_differs")
    elsewhere = Film.objects.filter(sha256=sha256, deleted_at__isnull=True)
    if elsewhere.exclude(patient=patient).exists():
        doubts.append("bytes_of_another_patient")
    return tuple(doubts)


def _names_another(patient: Patient, patient_id_in_file: str | None) -> bool:
    named = fold_number(patient_id_in_file or "")
    if not named:
        return False
    if named in {fold_number(number) for number in (patient.mrn, patient.temporary_id) if number}:
        return False
    if patient.mrn:
        return True
    # Nobody knows yet who this is; a number that is somebody else's is worth a question.
    return Patient.objects.filter(mrn_key=named, deleted_at__isnull=True).exists()


def is_of(patient: Patient, header: Header) -> bool | None:
    """Whether the file names this patient; None where it names none."""
    named = bool((header.patient_id or "").strip())
    return not _names_another(patient, header.patient_id) if named else None


def _create_film(visit: Visit, digest: films.Digest, header: Header, by: User) -> Film:
    return Film.objects.create(
        study=study_of(visit, header.study_uid or ""),
        visit=visit,
        patient_id=visit.patient_id,
        sha256=digest.sha256,
        size=digest.size,
        format=header.format,
        width=header.width,
        height=header.height,
        view=header.view or "",
        sop_uid=header.sop_uid or "",
        patient_id_matches=is_of(visit.patient, header),
        pixel_spacing_mm=header.pixel_spacing_mm,
        bits=header.bits,
        uploaded_by=by,
    )


def study_of(visit: Visit, study_uid: str) -> Study:
    study, _created = Study.objects.get_or_create(visit=visit, study_uid=study_uid)
    return study


def _store(data: films.Contents, digest: films.Digest) -> None:
    try:
        films.store(data, digest)
    except films.StorageUnavailable as error:
        raise UserError("film_not_stored", status=503) from error


def _analysis_of(film: Film, release: str, by: User) -> Analysis:
    last = selectors.newest_analysis(film)
    if last is None or last.status in {Status.FAILED, Status.CANCELLED}:
        return queue_reading(film, release, by)[0]
    return last


def queue_reading(film: Film, release: str, by: User) -> tuple[Analysis, bool]:
    analysis_id, created = queue.enqueue(film_id=film.id, release=release, requested_by_id=by.pk)
    analysis = Analysis.objects.select_related("film").get(id=analysis_id)
    if created:
        record(actor=by, action="analysis.request", target=analysis, patient_id=film.patient_id)
    transaction.on_commit(tasks.ring_bell)
    return analysis, created
