"""Answers quick reads in a worker: pneumonia or not, by the reader for adults or for children."""

from __future__ import annotations

import io
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from PIL import Image

from ml.bundle import Release
from ml.imaging.decode import decode
from ml.refusal import Refusal
from ml.vocabulary import NAMES

from . import films, pipeline, selectors
from .models import QuickRead
from .states import Status

log = logging.getLogger(__name__)

QUICK = "quick"
FILM = "film.bin"
PNEUMONIA = "Pneumonia"
ATTEMPTS = 2
# A worker that has not answered for so long is dead.
LOST_AFTER = timedelta(seconds=90)


@dataclass(frozen=True)
class Answer:
    """verdict: pneumonia, normal, or other where something else is marked."""

    verdict: str
    probability: float
    threshold: float
    reader: str
    release: str
    others: list[str]

    def to_json(self, pictures: list[str]) -> dict[str, Any]:
        """The answer as its row holds it."""
        return {**self.__dict__, "pictures": pictures}


def folder_of(quick_id: UUID) -> str:
    """Where all files of a quick read lie."""
    return f"{QUICK}/{quick_id}"


def key_of(quick_id: UUID, name: str) -> str:
    """Where one file of a quick read lies."""
    return f"{folder_of(quick_id)}/{name}"


def answer_next() -> bool:
    """Answer the oldest waiting quick read; False when none waits."""
    quick = _claim()
    if quick is None:
        return False
    try:
        answer = _read(quick)
        _close(quick, state=Status.SUCCEEDED, answer=answer)
    except Refusal as refusal:
        _close(quick, state=Status.REFUSED, reason=refusal.code)
    except films.FilmMissing:
        _close(quick, state=Status.FAILED, reason="film_missing")
    except (films.StorageUnavailable, pipeline.ReleaseUnavailable):
        _close(quick, state=Status.FAILED, reason="storage_unavailable")
    except Exception:
        log.exception("quick read %s failed", quick.id)
        _close(quick, state=Status.FAILED, reason="internal_error")
    # Nothing is kept of the film but its pictures.
    with suppress(films.StorageUnavailable):  # dropped with its pictures
        films.drop_file(key_of(quick.id, FILM))
    return True


def _claim() -> QuickRead | None:
    lost = Q(state=Status.RUNNING, taken_at__lt=Now() - LOST_AFTER)
    given_up = QuickRead.objects.filter(lost, attempt__gte=ATTEMPTS)
    given_up.update(state=Status.FAILED, reason="worker_lost")
    with transaction.atomic():
        quick = (
            QuickRead.objects.select_for_update(skip_locked=True)
            .filter(Q(state=Status.QUEUED) | lost, attempt__lt=ATTEMPTS)
            .order_by("created_at")
            .first()
        )
        if quick is not None:
            QuickRead.objects.filter(id=quick.id).update(
                state=Status.RUNNING, taken_at=Now(), attempt=F("attempt") + 1
            )
    return quick


def _close(
    quick: QuickRead, *, state: str, reason: str = "", answer: dict[str, Any] | None = None
) -> None:
    rows = QuickRead.objects.filter(id=quick.id, state=Status.RUNNING)
    rows.update(state=state, reason=reason, answer=answer or {})


def _read(quick: QuickRead) -> dict[str, Any]:
    film = decode(films.load_picture(key_of(quick.id, FILM)))
    reader = pipeline.reader_for(selectors.current_release())
    child = quick.child and reader.release.child_point is not None
    reading = reader.read(film, child=child)
    if reading.status == "refused":
        raise Refusal(reading.reason or "")
    drawn = reader.pictures(film, reading)
    pictures = {"film": drawn["film"], "map": _map_of(drawn, child)}
    for name, png in pictures.items():
        films.store_bytes(key_of(quick.id, f"{name}.png"), png)
    return answer_of(reader.release, reading, child=child).to_json(sorted(pictures))


def answer_of(release: Release, reading: Any, *, child: bool) -> Answer:
    """What the reading says of pneumonia, and whether anything else is marked."""
    findings, points = reading.findings or {}, release.operating_points
    marked = [name for name in NAMES if findings[name] >= points[name].threshold]
    if child and reading.pneumonia is not None and release.child_point is not None:
        probability, threshold = reading.pneumonia, release.child_point.threshold
    else:
        probability, threshold = findings[PNEUMONIA], points[PNEUMONIA].threshold
    others = [name for name in marked if name != PNEUMONIA] if not child else []
    verdict = "pneumonia" if probability >= threshold else "other" if others else "normal"
    reader_used = "children" if child else "adults"
    return Answer(verdict, probability, threshold, reader_used, reading.release, others)


def _map_of(drawn: dict[str, bytes], child: bool) -> bytes:
    """The map of pneumonia as a small grey PNG."""
    if child:
        return drawn["pneumonia"]
    maps = np.asarray(Image.open(io.BytesIO(drawn["attention_each"])))
    each = maps.reshape(len(NAMES), -1, maps.shape[1])
    buffer = io.BytesIO()
    Image.fromarray(each[NAMES.index(PNEUMONIA)]).save(buffer, "PNG")
    return buffer.getvalue()
