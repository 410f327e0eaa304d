"""Whether the process is up, whether the platform can do its work, and figures about it."""

import logging
import os
import secrets
import shutil
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.files.storage import FileSystemStorage, storages
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from xraydx import metrics as figures
from xraydx.errors import NotFound, UserError
from xraydx.start_checks import is_loopback

log = logging.getLogger("xraydx.health")
# Below this, a film or PostgreSQL's own log may fill the disk before anybody looks.
LOW_DISK_MB = 200


class NotReadyError(Exception):
    """A part does not hold; the text names no patient and no secret."""


@login_not_required
@never_cache
@require_GET
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@login_not_required
@never_cache
@require_GET
def readyz(request: HttpRequest) -> HttpResponse:
    """Every part that a reading needs, by name; 200 when all hold, else 503."""
    parts = {name: _state_of(name, check) for name, check in CHECKS.items()}
    ready = all(state == "ok" for state in parts.values())
    body = {"status": "ok" if ready else "not ready", "parts": parts}
    return JsonResponse(body, status=200 if ready else 503)


@login_not_required
@never_cache
@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus's text form, for this machine or for who has the token."""
    if not _may_see_metrics(request):
        raise NotFound
    text, content_type = figures.render()
    return HttpResponse(text, content_type=content_type)


def _may_see_metrics(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        return secrets.compare_digest(given.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
    peer = request.META.get("xraydx.peer", "")
    # Whoever comes through a proxy on this machine also connects from it.
    return bool(peer) and is_loopback(peer) and not request.META.get("xraydx.forwarded")


def _state_of(name: str, check: Callable[[], None]) -> str:
    try:
        check()
    except NotReadyError as error:
        return str(error)
    except UserError as error:
        return error.code
    except Exception:
        log.exception("readiness check failed", extra={"state": name})
        return "unreachable"
    return "ok"


def _check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _check_broker() -> None:
    from xraydx.celery import app

    with app.connection(connect_timeout=2) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, timeout=2)


def _check_worker() -> None:
    from diagnosis.selectors import live_workers

    if not live_workers().exists():
        raise NotReadyError("no live worker")


def _check_weights() -> None:
    from diagnosis.selectors import current_release
    from ml.bundle import ReleaseError

    try:
        verify_release(current_release())
    except ReleaseError as error:
        raise NotReadyError(str(error)) from error


@lru_cache(maxsize=4)
def verify_release(name: str) -> None:
    """Check a release's files once per process: they never change, and a worker checks its own."""
    from ml.bundle import load_release

    load_release(name)


def _check_storage() -> None:
    storage = storages["default"]
    if not isinstance(storage, FileSystemStorage):
        # A listing: a missing file and a missing bucket are answered alike.
        storage.listdir("readyz")
        return
    folder = Path(storage.location)
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise NotReadyError("not writable")
    if shutil.disk_usage(folder).free < LOW_DISK_MB * 2**20:
        raise NotReadyError("disk full")


CHECKS: dict[str, Callable[[], None]] = {
    "database": _check_database,
    "broker": _check_broker,
    "worker": _check_worker,
    "weights": _check_weights,
    "storage": _check_storage,
}
