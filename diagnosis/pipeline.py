"""The story of one film: load, decode, read, store the pictures, close the row."""

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from ml.bundle import ReleaseError
from ml.imaging.decode import PICTURE_PX, decode
from ml.imaging.decode import warm_up as warm_up_decoder
from ml.refusal import Refusal
from policy.selectors import site_points
from xraydx.errors import UserError

from . import films, queue, selectors
from .models import Film
from .queue import Claim, FindingRow, LeaseLost, LesionRow, Outcome
from .states import Status

if TYPE_CHECKING:
    from ml.read import Reader, Reading

log = logging.getLogger(__name__)
T = TypeVar("T")

DATABASE_AWAY = (OperationalError, InterfaceError)
DATABASE_WAIT_S = 0.5
# Boxes far below any operating point tell nobody anything; the best few are kept for measuring.
LESIONS_KEPT = 20

_loading = threading.Lock()
_loaded: "Reader | None" = None


class ReleaseUnavailable(Exception):  # noqa: N818 - a term, not a fault
    """The release that films are to be read with cannot be loaded."""


def warm_up() -> str:
    """Load the present release, so that the first film does not wait for it; returns its name.

    raises: ReleaseUnavailable
    """
    try:
        release = selectors.current_release()
    except UserError as error:
        raise ReleaseUnavailable(error.code) from error
    warm_up_decoder()
    reader = reader_for(release)
    reader.warm_up()
    return reader.release.name


def reader_for(release: str) -> "Reader":
    """The reader of that release; one is kept, because each takes some hundred MB.

    raises: ReleaseUnavailable
    """
    global _loaded
    # Late, because the engine has no place in processes that read no film.
    from ml.read import load_reader

    with _loading:
        if _loaded is None or _loaded.release.name != release:
            _loaded = None
            try:
                _loaded = load_reader(release, backend=settings.BACKEND, threads=1)
            except ReleaseError as error:
                raise ReleaseUnavailable(str(error)) from error
        return _loaded


def run(claim: Claim) -> Status | None:
    """Read the claimed film and close its analysis; None when the claim was lost on the way."""
    try:
        status = _settle(claim)
    except LeaseLost:
        log.info("analysis %s: attempt %d lost its claim", claim.analysis_id, claim.attempt)
        films.drop_pictures(claim.analysis_id, claim.attempt)
        return None
    log.info("analysis %s: attempt %d ended %s", claim.analysis_id, claim.attempt, status)
    return status


def _settle(claim: Claim) -> Status:
    """Map how the reading went to a move of the queue."""
    try:
        return _read(claim)
    except Refusal as refusal:
        return _refuse(claim, refusal.code, Outcome(quality=_plain(refusal.detail)))
    except films.StorageUnavailable:
        return _patiently(lambda: queue.retry(claim, reason="storage_unavailable"))
    except films.FilmMissing:
        return _fail(claim, "film_missing")
    except films.FilmDamaged:
        return _fail(claim, "film_damaged")
    except ReleaseUnavailable:
        return _fail(claim, "release_unavailable")
    except (LeaseLost, *DATABASE_AWAY):
        raise
    except Exception:
        return _fail(claim, "internal_error")


def _read(claim: Claim) -> Status:
    timings: dict[str, float] = {}
    with _timed(timings, "load"):
        sha256 = _patiently(lambda: _content_of(claim))
        data = films.fetch(sha256)
    with _timed(timings, "decode"), films.verified(data, sha256):
        film = decode(data, longest=PICTURE_PX)
    reader = reader_for(claim.release)
    _renew(claim)
    child = _is_for_child_reader(claim, reader)
    reading = reader.read(film, child=child, on_stage=lambda _stage: _renew(claim))
    timings.update({stage: ms for stage, ms in reading.timings_ms.items() if stage != "total"})
    with _timed(timings, "pictures"):
        pictures = reader.pictures(film, reading)
    with _timed(timings, "store"):
        images = films.store_pictures(claim.analysis_id, claim.attempt, pictures)
    site = _patiently(lambda: site_points(claim.release))
    outcome = _outcome(reader, reading, timings, images, site)
    if reading.status == "refused":
        return _refuse(claim, reading.reason or "", outcome)
    _patiently(lambda: queue.succeed(claim, outcome))
    return Status.SUCCEEDED


def _outcome(
    reader: "Reader",
    reading: "Reading",
    timings: dict[str, float],
    images: dict[str, str],
    site: Mapping[str, float],
) -> Outcome:
    """site: thresholds that the site chose in place of the release's own."""
    found = sorted((reading.findings or {}).items(), key=lambda item: -item[1])
    own = reader.release.operating_points
    points = {code: site.get(code, own[code].threshold) for code, _probability in found}
    boxes = sorted(reading.lesions or (), key=lambda lesion: (not lesion.shown, -lesion.score))
    return Outcome(
        quality=_plain(reading.quality),
        abnormal=reading.abnormal,
        anomaly=_plain(reading.anomaly),
        anatomy=_plain(reading.anatomy),
        child=_child_of(reader, reading),
        timings_ms={stage: round(float(ms), 2) for stage, ms in timings.items()},
        images=images,
        findings=[
            FindingRow(code, float(probability), float(points[code]), rank)
            for rank, (code, probability) in enumerate(found, start=1)
        ],
        lesions=[
            LesionRow(box.label, float(box.score), _on_film(box.box), box.shown)
            for box in boxes[:LESIONS_KEPT]
        ],
    )


def _is_for_child_reader(claim: Claim, reader: "Reader") -> bool:
    """Whether the release has a reader of its own for the patient's age when the film was sent."""
    ages = reader.release.child_ages
    if ages is None:
        return False
    film = _patiently(
        lambda: Film.objects.select_related("patient").filter(id=claim.film_id).first()
    )
    age = selectors.age_on_film(film) if film else None
    return age is not None and ages[0] <= age < ages[1]


def _child_of(reader: "Reader", reading: "Reading") -> dict[str, Any] | None:
    point = reader.release.child_point
    if reading.pneumonia is None or point is None:
        return None
    return {"pneumonia": float(reading.pneumonia), "threshold": float(point.threshold)}


def _content_of(claim: Claim) -> str:
    sha256 = Film.objects.filter(id=claim.film_id).values_list("sha256", flat=True).first()
    if sha256 is None:
        raise LeaseLost(str(claim.analysis_id))  # erased, and the analysis with it
    return sha256


def _renew(claim: Claim) -> None:
    try:
        queue.renew(claim)
    except DATABASE_AWAY:
        # The reading goes on: whether the claim still holds is asked again when it is closed.
        connection.close()


def _refuse(claim: Claim, reason: str, outcome: Outcome) -> Status:
    _patiently(lambda: queue.refuse(claim, reason=reason, outcome=outcome))
    return Status.REFUSED


def _fail(claim: Claim, reason: str) -> Status:
    incident = secrets.token_hex(4)
    log.exception("analysis %s: %s, incident %s", claim.analysis_id, reason, incident)
    _patiently(lambda: queue.fail(claim, reason=reason, incident=incident))
    return Status.FAILED


def _patiently(step: Callable[[], T]) -> T:
    """Repeat a step while the database is away, for as long as the lease may last.

    Done twice it does no harm: a move that was carried out, though its answer was lost, raises
    LeaseLost the second time.
    """
    give_up_at = time.monotonic() + queue.lease_s()
    while True:
        try:
            return step()
        except DATABASE_AWAY:
            connection.close()
            if time.monotonic() > give_up_at:
                raise
            time.sleep(DATABASE_WAIT_S)


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    timings[stage] = (time.perf_counter() - started) * 1000


def _plain(value: Any) -> Any:
    """The value as JSON holds it; numbers of numpy become Python's."""
    return json.loads(json.dumps(value, default=float, allow_nan=False))


def _on_film(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (min(max(float(side), 0.0), 1.0) for side in box)
    return x0, y0, x1, y1
