"""Quick reads: one film, one answer, no patient; whoever asked sees it, for an hour."""

from __future__ import annotations

from datetime import timedelta
from typing import IO, TypeAlias
from uuid import UUID

from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User
from audit.services import record
from ml.imaging.decode import read_header
from ml.refusal import Refusal
from xraydx.errors import NotFound, UserError

from . import films, selectors, tasks
from .models import QuickRead
from .quick_reading import FILM, QUICK, folder_of, key_of

Upload: TypeAlias = "File[bytes] | IO[bytes]"

KEPT = timedelta(hours=1)


def ask(*, file: Upload, child: bool, by: User) -> QuickRead:
    """Have the film read for pneumonia; nothing of the file's header is kept.

    raises: UserError (422) where no decoder opens the file, (429) past the account's hourly
        number, (503) without release or storage
    """
    _check_number(by)
    file.seek(0, 2)
    if file.tell() > settings.UPLOAD_MAX_BYTES:
        raise UserError("too_large", field="file")
    file.seek(0)
    data = file.read()
    try:
        read_header(data)
    except Refusal as refusal:
        raise UserError(refusal.code, field="file") from refusal
    selectors.current_release()
    with transaction.atomic():
        quick = QuickRead.objects.create(asked_by=by, child=child)
        try:
            films.store_bytes(key_of(quick.id, FILM), data)
        except films.StorageUnavailable as error:
            raise UserError("film_not_stored", status=503) from error
        record(actor=by, action="quick_read.ask", target=quick)
        transaction.on_commit(tasks.ring_bell)
    return quick


def _check_number(by: User) -> None:
    """Refuse past the hourly number: a script in a loop would hold up everybody's quick reads.

    raises: UserError (429) with the minutes until one is free again
    """
    most = settings.QUICK_READS_PER_HOUR
    within = QuickRead.objects.filter(asked_by=by, created_at__gt=timezone.now() - KEPT)
    recent = within.order_by("-created_at").values_list("created_at", flat=True)[:most]
    if len(recent) < most:
        return
    left = recent[most - 1] + KEPT - timezone.now()
    minutes = max(int(left.total_seconds() // 60) + 1, 1)
    raise UserError("quick_read_limit", status=429, params={"most": most, "minutes": minutes})


def quick_for(user: User, quick_id: UUID) -> QuickRead:
    """The quick read, for whoever asked it. raises: NotFound"""
    quick = QuickRead.objects.filter(id=quick_id, asked_by=user).first()
    if quick is None:
        raise NotFound
    return quick


def view_picture(*, quick_id: UUID, name: str, by: User) -> bytes:
    """A PNG of the quick read, recorded as viewed. raises: NotFound"""
    quick = quick_for(by, quick_id)
    if name not in quick.answer.get("pictures", []):
        raise NotFound
    try:
        picture = films.load_picture(key_of(quick.id, f"{name}.png"))
    except films.FilmMissing as error:
        raise NotFound from error
    record(actor=by, action="image.view", target=quick, detail={"image": name})
    return picture


def forget_old() -> int:
    """Drop quick reads and their pictures an hour after they were asked; returns how many.

    Files whose row was never committed go, too. raises: films.StorageUnavailable
    """
    old = set(QuickRead.objects.filter(created_at__lt=Now() - KEPT).values_list("id", flat=True))
    for quick_id in old:
        films.drop_folder(folder_of(quick_id))
    QuickRead.objects.filter(id__in=old).delete()
    stored_before = timezone.now() - KEPT
    stored = films.stored_folders(QUICK, stored_before)
    for quick_id in stored - set(QuickRead.objects.values_list("id", flat=True)):
        films.drop_folder(folder_of(quick_id))
    return len(old)
