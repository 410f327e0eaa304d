"""A backup that comes back: into an empty database, table by table and byte by byte."""

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command

from diagnosis.services import sign_reading
from tests.accounts.factories import make_physician
from tests.diagnosis.factories import make_refusal, make_result
from xraydx.backup import LEFT_OUT, BackupError, check_backup, make_backup
from xraydx.embedded import Servers

pytestmark = [pytest.mark.flow, pytest.mark.django_db(transaction=True)]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def owner_url(servers: Servers) -> str:
    return servers.postgres.url("xraydx_owner", "test_xraydx")


@pytest.fixture
def films_here(settings: object, tmp_path: Path) -> Path:
    """A storage of this test alone."""
    place = tmp_path / "films"
    backend = "django.core.files.storage.FileSystemStorage"
    both = {**settings.STORAGES, "default": {"BACKEND": backend, "OPTIONS": {"location": place}}}  # type: ignore[attr-defined]
    settings.STORAGES = both  # type: ignore[attr-defined]
    return place


@pytest.fixture
def empty_database(servers: Servers) -> Iterator[str]:
    """The address of a database without tables."""
    with psycopg.connect(servers.owner_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS restored")
        connection.execute("CREATE DATABASE restored")
    yield servers.postgres.url("xraydx_owner", "restored")
    with psycopg.connect(servers.owner_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE restored WITH (FORCE)")


def contents_of(address: str) -> dict[str, str]:
    """Return a fingerprint of every table's rows, but of those that a backup leaves out."""
    with psycopg.connect(address) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [name for (name,) in names.fetchall() if name not in LEFT_OUT]
        query = "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {} t"
        return {
            name: connection.execute(query.format(f'"{name}"')).fetchone()[0]  # type: ignore[index,arg-type]
            for name in tables
        }


def files_of(place: Path) -> dict[str, bytes]:
    found = (path for path in place.rglob("*") if path.is_file())
    return {str(path.relative_to(place)): path.read_bytes() for path in found}


def test_a_backup_fills_an_empty_database_with_the_same_rows_and_films(
    servers: Servers,
    owner_url: str,
    empty_database: str,
    films_here: Path,
    settings: object,
    tmp_path: Path,
) -> None:
    settings.DATABASE_OWNER_URL = owner_url  # type: ignore[attr-defined]
    analysis = make_result()
    make_refusal()
    sign_reading(analysis=analysis, by=make_physician(), verdict="agree")
    file = tmp_path / "hospital.tar"
    call_command("backup", str(file))
    assert file.stat().st_mode & 0o077 == 0
    before = contents_of(owner_url)
    there = tmp_path / "restored"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "xraydx.settings",
        "XRAYDX_DATABASE_ROLE": "owner",
        "DATABASE_URL": servers.postgres.url("xraydx_app", "restored"),
        "DATABASE_OWNER_URL": empty_database,
        "XRAYDX_STORAGE": str(there),
    }
    command = [sys.executable, "manage.py", "restore", str(file)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with psycopg.connect(empty_database) as connection:
        connection.execute("ALTER TABLE audit_entry DISABLE TRIGGER USER")
        connection.execute("DELETE FROM audit_entry WHERE action = 'backup.restore'")
        connection.execute("ALTER TABLE audit_entry ENABLE TRIGGER USER")
    assert contents_of(empty_database) == before
    assert files_of(there) == files_of(films_here)
    assert len(files_of(there)) > 6
    again = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert again.returncode != 0
    assert "holds patients already" in again.stderr


def test_a_damaged_backup_is_refused_before_anything_is_written(
    owner_url: str, films_here: Path, tmp_path: Path
) -> None:
    make_result()
    file = tmp_path / "hospital.tar"
    make_backup(file, database=owner_url)
    data = bytearray(file.read_bytes())
    with tarfile.open(file) as archive:
        member = next(one for one in archive if one.name.startswith("files/"))
    data[member.offset_data + 10] ^= 1
    file.write_bytes(data)
    with pytest.raises(BackupError, match="damaged"):
        check_backup(file)
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises(BackupError):
        check_backup(file)
    assert storages["default"].exists(member.name.removeprefix("files/"))


@pytest.mark.parametrize("text", [b"[]", b'{"unknown": 1}', b"null", b"no JSON"])
def test_what_is_no_manifest_is_said_to_be_no_backup(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "odd.tar"
    with tarfile.open(file, "w") as archive:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    with pytest.raises(BackupError, match="no whole backup"):
        check_backup(file)


def test_a_backup_overwrites_no_file(settings: object, tmp_path: Path, owner_url: str) -> None:
    settings.DATABASE_OWNER_URL = owner_url  # type: ignore[attr-defined]
    file = tmp_path / "there.tar"
    file.touch()
    with pytest.raises(CommandError, match="exists already"):
        call_command("backup", str(file))
