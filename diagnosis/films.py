"""Films and their pictures in the storage (a folder or S3), named by content, never by patient."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from mmap import ACCESS_COPY, mmap
from pathlib import Path
from typing import IO
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.db import connection, transaction

from ml.imaging.formats import PREAMBLE_BYTES, has_used_preamble

from .models import Film

Contents = bytes | mmap
PART = ".part-"
SHA256 = re.compile(r"[0-9a-f]{64}")
UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class FilmMissing(Exception):  # noqa: N818 - a term, not a fault
    """The storage has no bytes under the film's sha256."""


class StorageUnavailable(Exception):  # noqa: N818 - a term, not a fault
    """The storage does not answer or does not take what is given; the same may work later."""


class FilmDamaged(Exception):  # noqa: N818 - a term, not a fault
    """The stored bytes no longer have the film's sha256."""


@dataclass(frozen=True)
class Digest:
    """sha256: 64 hexadecimal digits; size: bytes."""

    sha256: str
    size: int


def storage() -> Storage:
    """The storage of films and pictures, as set by XRAYDX_STORAGE."""
    return storages["default"]


@contextmanager
def _faults_named() -> Iterator[None]:
    """Turn what a folder or an S3 client raises into StorageUnavailable."""
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(type(error).__name__) from error
    except Exception as error:
        # By name: with films in a folder the S3 client is never imported.
        if type(error).__module__.partition(".")[0] in {"botocore", "boto3", "s3transfer"}:
            raise StorageUnavailable(type(error).__name__) from error
        raise


def film_key(sha256: str) -> str:
    """Where the bytes of a film lie; says nothing about whose they are."""
    return f"films/{sha256[:2]}/{sha256}"


def picture_key(analysis_id: UUID, attempt: int, name: str) -> str:
    """Where a picture of one attempt lies; attempts never share a folder."""
    return f"{picture_folder(analysis_id)}/{attempt}/{name}.png"


def picture_folder(analysis_id: UUID) -> str:
    """Where the pictures of all attempts of an analysis lie."""
    return f"pictures/{str(analysis_id)[:2]}/{analysis_id}"


@contextmanager
def contents_of(file: IO[bytes]) -> Iterator[Contents]:
    """The file's bytes; those of a large upload, which lies on disk, are mapped and not copied.

    The preamble of a DICOM file comes as zeros: a film is never a program too.
    """
    file.seek(0)
    on_disk = getattr(file, "temporary_file_path", None)
    if on_disk is None or not Path(on_disk()).stat().st_size:
        data = file.read()
        yield bytes(PREAMBLE_BYTES) + data[PREAMBLE_BYTES:] if has_used_preamble(data) else data
        return
    with mmap(file.fileno(), 0, access=ACCESS_COPY) as mapped:
        if has_used_preamble(mapped):
            mapped[:PREAMBLE_BYTES] = bytes(PREAMBLE_BYTES)
        yield mapped


def measure(data: Contents) -> Digest:
    """Hash a file's bytes."""
    return Digest(hashlib.sha256(data).hexdigest(), len(data))


def lock_content(sha256: str) -> None:
    """Let nobody else store or drop these bytes until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [sha256])


@_faults_named()
def store(data: Contents, digest: Digest) -> None:
    """Put the film into the storage under its sha256; the caller holds lock_content.

    Bytes that are there in full already are left alone. raises: StorageUnavailable
    """
    key = film_key(digest.sha256)
    if storage().exists(key):
        if storage().size(key) == digest.size:
            return
        storage().delete(key)  # a write that was cut short
    _save(key, data)


def load(sha256: str) -> bytes:
    """The film's bytes. raises: FilmMissing, FilmDamaged, StorageUnavailable"""
    data = fetch(sha256)
    with verified(data, sha256):
        return data


@_faults_named()
def fetch(sha256: str) -> bytes:
    """What lies under the film's sha256, not checked. raises: FilmMissing, StorageUnavailable"""
    try:
        with storage().open(film_key(sha256), "rb") as file:
            data: bytes = file.read()
        return data
    except FileNotFoundError as error:
        raise FilmMissing(sha256) from error


@contextmanager
def verified(data: bytes, sha256: str) -> Iterator[None]:
    """Check the film's bytes beside what is done with them; that counts only if they are whole.

    raises: FilmDamaged at the end, instead of whatever broken bytes may have raised
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        measured = pool.submit(measure, data)
        try:
            yield
        finally:
            if measured.result().sha256 != sha256:
                raise FilmDamaged(sha256)


@_faults_named()
def store_pictures(
    analysis_id: UUID, attempt: int, pictures: Mapping[str, bytes]
) -> dict[str, str]:
    """Store the PNG pictures in the attempt's own folder; returns name → storage key."""
    keys = {}
    for name, png in pictures.items():
        keys[name] = picture_key(analysis_id, attempt, name)
        store_bytes(keys[name], png)
    return keys


@_faults_named()
def store_bytes(key: str, data: bytes) -> None:
    """Store what belongs to an analysis, instead of what lies there. raises: StorageUnavailable"""
    if storage().exists(key):
        storage().delete(key)
    _save(key, data)


@_faults_named()
def load_picture(key: str) -> bytes:
    """A stored picture. raises: FilmMissing, StorageUnavailable"""
    try:
        with storage().open(key, "rb") as file:
            png: bytes = file.read()
        return png
    except FileNotFoundError as error:
        raise FilmMissing(key) from error


@_faults_named()
def drop_pictures(analysis_id: UUID, attempt: int | None = None) -> None:
    """Remove the pictures of one attempt, or of all attempts of the analysis."""
    place, folder = storage(), picture_folder(analysis_id)
    attempts = _listed(place, folder)[0] if attempt is None else [str(attempt)]
    for each in attempts:
        for name in _listed(place, f"{folder}/{each}")[1]:
            place.delete(f"{folder}/{each}/{name}")
        if isinstance(place, FileSystemStorage):
            place.delete(f"{folder}/{each}")


@_faults_named()
def drop_file(key: str) -> None:
    """Remove what lies under the key, if anything does."""
    storage().delete(key)


@_faults_named()
def drop_folder(folder: str) -> None:
    """Remove the files of a folder that holds no folders, and the folder."""
    place = storage()
    for name in _listed(place, folder)[1]:
        place.delete(f"{folder}/{name}")
    if isinstance(place, FileSystemStorage):
        place.delete(folder)


@_faults_named()
def drop_unreferenced(sha256: str) -> bool:
    """Remove the bytes of a film that no row names any more; returns whether they were removed."""
    with transaction.atomic():
        lock_content(sha256)
        if Film.objects.filter(sha256=sha256).exists():
            return False
        storage().delete(film_key(sha256))
        return True


@_faults_named()
def stored_films(folder: str) -> set[str]:
    """Every sha256 under which bytes lie; folder: its first two digits."""
    names = _listed(storage(), f"films/{folder}")[1]
    return {name for name in names if SHA256.fullmatch(name)}


@_faults_named()
def stored_at(sha256: str) -> datetime:
    """When the film's bytes were stored."""
    return storage().get_modified_time(film_key(sha256))


@_faults_named()
def pictured_analyses(folder: str) -> set[UUID]:
    """Every analysis that has pictures; folder: the first two digits of its id."""
    names = _listed(storage(), f"pictures/{folder}")[0]
    return {UUID(name) for name in names if UUID_TEXT.fullmatch(name)}


@_faults_named()
def stored_folders(parent: str, before: datetime) -> set[UUID]:
    """Every id with a folder there in which nothing was stored since then."""
    place, found = storage(), set()
    for name in filter(UUID_TEXT.fullmatch, _listed(place, parent)[0]):
        keys = [f"{parent}/{name}/{file}" for file in _listed(place, f"{parent}/{name}")[1]]
        if all(place.get_modified_time(key) < before for key in keys):
            found.add(UUID(name))
    return found


@_faults_named()
def drop_parts(folder: str, before: datetime) -> None:
    """Remove what a write that was cut off before then has left beside the films."""
    place = storage()
    if isinstance(place, FileSystemStorage):
        for part in Path(place.path(f"films/{folder}")).glob(f"{PART}*"):
            if part.stat().st_mtime < before.timestamp():
                part.unlink(missing_ok=True)


def _listed(place: Storage, folder: str) -> tuple[list[str], list[str]]:
    try:
        return place.listdir(folder)
    except FileNotFoundError:
        return [], []


def _save(key: str, data: Contents) -> None:
    place = storage()
    if isinstance(place, FileSystemStorage):
        _save_to_disk(place, key, data)
        return
    saved = place.save(key, ContentFile(data[:], name=key))
    if saved != key:
        raise OSError(f"the storage renamed {key}")


def _save_to_disk(place: FileSystemStorage, key: str, data: Contents) -> None:
    # A film that was acknowledged survives a power cut: write aside, sync, then rename.
    final = Path(place.path(key))
    _make_folder(final.parent, place.directory_permissions_mode or 0o700)
    handle, name = tempfile.mkstemp(dir=final.parent, prefix=PART)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(place.file_permissions_mode or 0o600)
        Path(name).replace(final)
        _sync_folder(final.parent)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _make_folder(folder: Path, mode: int) -> None:
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(exist_ok=True, mode=mode)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
