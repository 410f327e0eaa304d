"""Everything that cannot be made again, in one file: all tables, films and pictures.

A tar of `tables/<name>.csv`, `files/<key in the storage>` and, last, `manifest.json` with the
sha256 of every member and the migrations that the tables belong to.
"""

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import psycopg
from django.core.files import File
from django.core.files.storage import Storage, storages
from psycopg import sql

FORMAT = 1
MANIFEST = "manifest.json"
# Filled by migrating, or worth nothing on another machine.
LEFT_OUT = ("django_migrations", "django_session")
# What an installation holds before anybody works with it; a restore may replace that.
BEFORE_WORK = ("patients_patient", "diagnosis_film")
CHUNK = 1024 * 1024

Connection = psycopg.Connection[tuple[Any, ...]]


class BackupError(Exception):
    """A backup can't be made or restored; the message says why and what to do."""


@dataclass
class Manifest:
    """What a backup holds; members: name → sha256, rows: table → count."""

    format: int = FORMAT
    migrations: list[list[str]] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)


def make_backup(target: Path, *, database: str) -> Manifest:
    """Write the backup; it appears under its name only once it is whole.

    database: address of the tables' owner
    """
    if target.exists():
        raise BackupError(f"{target} exists already: choose another name.")
    manifest = Manifest()
    descriptor, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
            _add_tables(archive, manifest, database)
            _add_files(archive, manifest)
            text = json.dumps(asdict(manifest), indent=1).encode()
            _add(archive, MANIFEST, io.BytesIO(text), len(text))
        Path(draft).rename(target)
    finally:
        Path(draft).unlink(missing_ok=True)
    return manifest


def restore_backup(source: Path, *, database: str) -> Manifest:
    """Fill an empty, migrated installation from a backup, every byte checked before.

    database: address of the tables' owner
    """
    manifest = check_backup(source)
    with psycopg.connect(database) as connection, tarfile.open(source) as archive:
        _refuse_unfit(connection, manifest)
        _put_tables(connection, archive, manifest)
        # Files before the commit: a row never names bytes that are not there.
        place = storages["default"]
        for member in archive:
            if member.name.startswith("files/"):
                _put_file(place, member.name.removeprefix("files/"), archive, member)
    return manifest


def check_backup(source: Path) -> Manifest:
    """Return what the backup holds, once every member's sha256 is right."""
    try:
        with tarfile.open(source) as archive:
            found = {member.name: _sha256(_open(archive, member)) for member in archive}
            manifest = Manifest(**json.load(_open(archive, archive.getmember(MANIFEST))))
    except (OSError, tarfile.TarError, KeyError, TypeError, ValueError) as error:
        raise BackupError(f"{source} is no whole backup: {error}") from error
    found.pop(MANIFEST)
    if manifest.format != FORMAT:
        raise BackupError(f"{source} has format {manifest.format}; this version reads {FORMAT}.")
    if found != manifest.members:
        damaged = sorted(set(found.items()) ^ set(manifest.members.items()))[0][0]
        raise BackupError(f"{source} was damaged: {damaged} is not what it was.")
    return manifest


def _add_tables(archive: tarfile.TarFile, manifest: Manifest, database: str) -> None:
    """Write all tables as of one moment."""
    with psycopg.connect(database) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        manifest.migrations = _migrations(connection)
        for table in _tables(connection):
            statement = sql.SQL("COPY {} TO STDOUT (FORMAT csv, HEADER)")
            with tempfile.TemporaryFile() as spool:
                with connection.cursor().copy(statement.format(sql.Identifier(table))) as rows:
                    for data in rows:
                        spool.write(data)
                name, size = f"tables/{table}.csv", spool.tell()
                spool.seek(0)
                manifest.members[name] = _sha256(spool)
                spool.seek(0)
                _add(archive, name, spool, size)
            count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            (manifest.rows[table],) = connection.execute(count).fetchone() or (0,)


def _add_files(archive: tarfile.TarFile, manifest: Manifest) -> None:
    place = storages["default"]
    for key in _keys(place, ""):
        with place.open(key) as file, tempfile.SpooledTemporaryFile(max_size=8 * CHUNK) as spool:
            for chunk in file.chunks(CHUNK):
                spool.write(chunk)
            size = spool.tell()
            spool.seek(0)
            manifest.members[f"files/{key}"] = _sha256(spool)
            spool.seek(0)
            _add(archive, f"files/{key}", spool, size)


def _add(archive: tarfile.TarFile, name: str, file: Any, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    archive.addfile(member, file)


def _refuse_unfit(connection: Connection, manifest: Manifest) -> None:
    """Raise where the installation is not empty, or of another version."""
    for table in BEFORE_WORK:
        statement = sql.SQL("SELECT 1 FROM {} LIMIT 1").format(sql.Identifier(table))
        if connection.execute(statement).fetchone():
            raise BackupError("This installation holds patients already: restore into a new one.")
    here, there = (
        {tuple(pair) for pair in pairs} for pairs in (_migrations(connection), manifest.migrations)
    )
    if here != there:
        app, name = min(here ^ there)
        raise BackupError(
            f"The backup was made by another version ({app}.{name} differs): restore it with "
            "that version, then update."
        )


def _put_tables(connection: Connection, archive: tarfile.TarFile, manifest: Manifest) -> None:
    """Replace the rows of all tables; references are checked when the transaction ends."""
    tables = [sql.Identifier(table) for table in manifest.rows]
    connection.execute("SET CONSTRAINTS ALL DEFERRED")
    # The owner alone can do this, and only here: what is recorded so far is the installation's
    # own first minute.
    connection.execute("ALTER TABLE audit_entry DISABLE TRIGGER USER")
    connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(tables)))
    for table in manifest.rows:
        with _open(archive, archive.getmember(f"tables/{table}.csv")) as rows:
            _copy_in(connection, table, rows)
        _set_sequences(connection, table)
    connection.execute("ALTER TABLE audit_entry ENABLE TRIGGER USER")


def _copy_in(connection: Connection, table: str, rows: IO[bytes]) -> None:
    columns = [sql.Identifier(name) for name in rows.readline().decode().strip().split(",")]
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(
        sql.Identifier(table), sql.SQL(", ").join(columns)
    )
    with connection.cursor().copy(statement) as copy:
        while chunk := rows.read(CHUNK):
            copy.write(chunk)


def _set_sequences(connection: Connection, table: str) -> None:
    """Have counted ids go on behind the highest."""
    owned = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' "
        "AND table_name = %s AND (is_identity = 'YES' OR column_default LIKE 'nextval%%')",
        [table],
    ).fetchall()
    for (column,) in owned:
        connection.execute(
            sql.SQL(
                "SELECT setval(pg_get_serial_sequence({name}, {column_name}), "
                "greatest(max({column}), 1), max({column}) IS NOT NULL) FROM {table}"
            ).format(
                name=sql.Literal(f'public."{table}"'),
                column_name=sql.Literal(column),
                column=sql.Identifier(column),
                table=sql.Identifier(table),
            )
        )


def _put_file(place: Storage, key: str, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    if place.exists(key):
        place.delete(key)
    with _open(archive, member) as data:
        place.save(key, File(data))


def _tables(connection: Connection) -> list[str]:
    rows = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
    )
    return [name for (name,) in rows.fetchall() if name not in LEFT_OUT]


def _migrations(connection: Connection) -> list[list[str]]:
    rows = connection.execute("SELECT app, name FROM django_migrations ORDER BY app, name")
    return [[app, name] for app, name in rows.fetchall()]


def _keys(place: Storage, folder: str) -> Iterator[str]:
    """Walk the storage down."""
    try:
        folders, files = place.listdir(folder)
    except FileNotFoundError:  # nothing was ever stored
        return
    for name in sorted(files):
        yield f"{folder}/{name}".lstrip("/")
    for name in sorted(folders):
        yield from _keys(place, f"{folder}/{name}".lstrip("/"))


def _open(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(member)
    if file is None:
        raise BackupError(f"{member.name} is no file.")
    return file


def _sha256(file: Any) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
