"""A patient's films when records are merged, parted, or taken out whole."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Now

from accounts.models import User
from patients.exporting import fields_of
from patients.hooks import Exported, Moved
from patients.models import Patient

from . import films
from .models import Analysis, Film

SUFFIXES = {"dicom": "dcm", "jpeg": "jpg"}
FILM_FIELDS = ("sha256", "size", "format", "width", "height", "view", "uploaded_at", "deleted_at")
ANALYSIS_FIELDS = (
    "release", "status", "reason", "created_at", "finished_at",
    "quality", "abnormal", "anomaly", "anatomy", "timings_ms",
)  # fmt: skip


def file_under(gone: Patient, kept: Patient) -> Moved:
    """File the films of `gone` under `kept`; one that `kept` has with the same bytes is hidden."""
    own = Film.objects.filter(patient=gone)
    for sha256 in sorted(set(own.values_list("sha256", flat=True))):
        films.lock_content(sha256)
    there = Film.objects.filter(patient=kept, deleted_at__isnull=True).values("sha256")
    doubled = own.filter(deleted_at__isnull=True, sha256__in=there)
    hidden = [str(key) for key in doubled.values_list("pk", flat=True)]
    Film.objects.filter(pk__in=hidden).update(deleted_at=Now())
    moved = [str(key) for key in own.values_list("pk", flat=True)]
    own.update(patient=kept)
    return {"films": moved, "films_hidden": hidden}


def file_back(gone: Patient, kept: Patient, moved: Moved) -> None:
    """File the films of the visits that went back under `gone` again, and show hidden ones."""
    visits = [UUID(key) for key in moved["visits"]]
    Film.objects.filter(visit__in=visits, patient=kept).update(patient=gone)
    Film.objects.filter(pk__in=moved["films_hidden"], patient=gone).update(deleted_at=None)


def export_films(patient: Patient, by: User) -> Exported:
    """Return the patient's films with everything that was read in them, bytes and pictures too."""
    rows = Film.objects.filter(patient=patient).order_by("uploaded_at", "id")
    rows = rows.prefetch_related(
        "analyses__findings", "analyses__lesions", "analyses__readings__signed_by"
    )
    documents = [_film(film) for film in rows]
    return Exported({"films": documents}, _files(rows))


def _film(film: Film) -> dict[str, Any]:
    return {
        "id": film.id,
        "visit": film.visit_id,
        **fields_of(film, FILM_FIELDS),
        "file": _name(film),
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
