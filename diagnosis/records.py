"""A patient's films when records are merged, parted, or taken out whole."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from accounts.models import User
from patients.exporting import fields_of
from patients.hooks import Exported, Moved
from patients.models import Merge, Patient

from . import films
from .models import Analysis, Film, Reading

SUFFIXES = {"dicom": "dcm", "jpeg": "jpg"}
FILM_FIELDS = ("sha256", "size", "format", "width", "height", "view", "uploaded_at", "deleted_at")
MOVE_FIELDS = ("from_visit_id", "to_visit_id", "reason", "moved_at")
LOOK_FIELDS = ("impression", "codes", "looked_at")
ANALYSIS_FIELDS = (
    "release", "status", "reason", "created_at", "finished_at",
    "quality", "abnormal", "anomaly", "anatomy", "child", "timings_ms",
)  # fmt: skip


def file_under(gone: Patient, kept: Patient) -> Moved:
    """File the films of `gone` under `kept`; of two with the same bytes one is hidden.

    That is the one of `gone`, unless it alone was signed.
    """
    own = Film.objects.filter(patient=gone)
    for sha256 in sorted(set(own.values_list("sha256", flat=True))):
        films.lock_content(sha256)
    hidden = [str(key) for key in _doubled(own, Film.objects.filter(patient=kept))]
    Film.objects.filter(pk__in=hidden).update(deleted_at=Now())
    moved = [str(key) for key in own.values_list("pk", flat=True)]
    own.update(patient=kept)
    return {"films": moved, "films_hidden": hidden}


def _doubled(own: QuerySet[Film], there: QuerySet[Film]) -> Iterator[UUID]:
    """Yield, of every two films with the same bytes, the one to be hidden."""
    signed = Exists(Reading.objects.filter(analysis__film=OuterRef("pk")))
    rows = there.filter(deleted_at__isnull=True).annotate(signed=signed)
    others = {film.sha256: film for film in rows}
    for film in own.filter(deleted_at__isnull=True, sha256__in=others).annotate(signed=signed):
        other = others[film.sha256]
        yield other.pk if film.signed and not other.signed else film.pk


def file_back(gone: Patient, kept: Patient, moved: Moved) -> None:
    """File the films of the visits that went back under `gone` again, and show hidden ones."""
    visits = [UUID(key) for key in moved["visits"]]
    Film.objects.filter(visit__in=visits, patient=kept).update(patient=gone)
    hidden = Film.objects.filter(pk__in=moved["films_hidden"], patient__in=[gone, kept])
    hidden.update(deleted_at=None)


def was_put_away(film_id: UUID) -> bool:
    """Whether a merge that still holds hid the film behind one with the same bytes."""
    hidden = [str(film_id)]
    return Merge.objects.filter(undone_at=None, moved__films_hidden__contains=hidden).exists()


def export_films(patient: Patient, by: User) -> Exported:
    """Return the patient's films with everything that was read in them, bytes and pictures too."""
    rows = Film.objects.filter(patient=patient).order_by("uploaded_at", "id")
    rows = rows.prefetch_related(
        "analyses__findings",
        "analyses__lesions",
        "analyses__readings__signed_by",
        "analyses__first_looks__user",
        "moves__moved_by",
    )
    documents = [_film(film) for film in rows]
    return Exported({"films": documents}, _files(rows))


def _film(film: Film) -> dict[str, Any]:
    return {
        "id": film.id,
        "visit": film.visit_id,
        **fields_of(film, FILM_FIELDS),
        "file": _name(film),
        "moves": [
            {**fields_of(one, MOVE_FIELDS), "moved_by": str(one.moved_by)}
            for one in film.moves.all()
        ],
        "analyses": [_analysis(film, row) for row in film.analyses.all()],
    }


def _analysis(film: Film, row: Analysis) -> dict[str, Any]:
    found = ("code", "probability", "threshold", "above", "rank")
    boxes = ("label", "score", "x0", "y0", "x1", "y1", "shown")
    read = ("version", "verdict", "findings", "note", "report", "added", "signed_at")
    return {
        "id": row.id,
        **fields_of(row, ANALYSIS_FIELDS),
        "findings": [fields_of(one, found) for one in row.findings.all()],
        "lesions": [fields_of(one, boxes) for one in row.lesions.all()],
        "readings": [
            {**fields_of(one, read), "signed_by": str(one.signed_by)} for one in row.readings.all()
        ],
        "first_looks": [
            {**fields_of(one, LOOK_FIELDS), "user": str(one.user)} for one in row.first_looks.all()
        ],
        "pictures": {name: _picture(film, row, name) for name in row.images},
    }


def _files(rows: QuerySet[Film]) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of every film, its pictures and its signed reports."""
    for film in rows:
        try:
            yield _name(film), films.load(film.sha256)
        except (films.FilmMissing, films.FilmDamaged) as error:
            yield f"{_name(film)}.missing.txt", type(error).__name__.encode()
        for row in film.analyses.all():
            for name, key in row.images.items():
                try:
                    yield _picture(film, row, name), films.load_picture(key)
                except films.FilmMissing:
                    continue
            for reading in row.readings.all():
                yield f"reports/{row.id}-{reading.version}.txt", reading.report.encode()


def _name(film: Film) -> str:
    return f"films/{film.id}.{SUFFIXES.get(film.format, film.format)}"


def _picture(film: Film, row: Analysis, name: str) -> str:
    return f"pictures/{film.id}/{row.id}/{name}.png"
