"""Every setting is described, and every reader refuses what it can't read."""

import re
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from xraydx import settings as code

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(
    {file.relative_to(ROOT).parts[0] for file in ROOT.glob("*/__init__.py")} - {"tests"}
)
READS = re.compile(r"read_(?:text|flag|int|list|path|secret)\(\s*\"([A-Z0-9_]+)\"")
ENVIRON = re.compile(r"environ(?:\.get|\.setdefault)?[\[(]\"([A-Z][A-Z0-9_]+)\"")
# Set by one process for another, or by other programs.
NOT_SETTINGS = {
    "DJANGO_SETTINGS_MODULE", "CELERY_SKIP_CHECKS", "PROMETHEUS_MULTIPROC_DIR", "PYTHON",
}  # fmt: skip


def names_in_code() -> set[str]:
    found: set[str] = set()
    for file in (file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")):
        text = file.read_text()
        found |= set(READS.findall(text)) | set(ENVIRON.findall(text))
    return found - NOT_SETTINGS


def names_in_document() -> set[str]:
    text = (ROOT / "docs" / "settings.md").read_text()
    words = set(re.findall(r"`([A-Z][A-Z0-9_]{3,})`", text))
    return words - {"NAME_FILE"}


def test_every_setting_is_described_and_nothing_else_is() -> None:
    assert names_in_code() == names_in_document()


def test_the_containers_set_only_what_exists() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    block = text[text.index("environment: &environment") : text.index("secrets: [database_url")]
    used = {name.removesuffix("_FILE") for name in re.findall(r"^    ([A-Z0-9_]+):", block, re.M)}
    assert used <= names_in_document()


@pytest.mark.parametrize(("raw", "value"), [("1", True), ("off", False), ("", True), ("No", False)])
def test_a_flag_is_yes_or_no(monkeypatch: pytest.MonkeyPatch, raw: str, value: bool) -> None:
    monkeypatch.setenv("XRAYDX_TRIAL", raw)
    assert code.read_flag("XRAYDX_TRIAL", True) is value


def test_a_flag_that_is_neither_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XRAYDX_TRIAL", "perhaps")
    with pytest.raises(ImproperlyConfigured, match="XRAYDX_TRIAL must be 1 or 0"):
        code.read_flag("XRAYDX_TRIAL", False)


@pytest.mark.parametrize("raw", ["many", "0", "11"])
def test_a_number_outside_its_bounds_is_refused(monkeypatch: pytest.MonkeyPatch, raw: str) -> None:
    monkeypatch.setenv("XRAYDX_TRIAL", raw)
    with pytest.raises(ImproperlyConfigured, match="XRAYDX_TRIAL"):
        code.read_int("XRAYDX_TRIAL", 5, low=1, high=10)


def test_a_secret_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    monkeypatch.setenv("XRAYDX_TRIAL_FILE", str(tmp_path / "secret"))
    assert code.read_text("XRAYDX_TRIAL") == "from a file"


def test_a_secret_that_nobody_gave_is_made_once_and_closed(tmp_path: Path) -> None:
    file = tmp_path / "private" / "secret_key"
    first = code.read_secret("XRAYDX_TRIAL", file)
    assert code.read_secret("XRAYDX_TRIAL", file) == first
    assert len(first) >= 50
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_database_address_is_taken_apart() -> None:
    found = code.parse_database("postgresql://me:p%40ss@db.example:5433/films?sslmode=require")
    assert found["HOST"] == "db.example"
    assert found["PORT"] == "5433"
    assert found["USER"] == "me"
    assert found["PASSWORD"] == "p@ss"
    assert found["NAME"] == "films"
    assert found["OPTIONS"]["sslmode"] == "require"


def test_a_socket_folder_may_stand_in_a_database_address() -> None:
    assert code.parse_database("postgresql://me@/films?host=/run/db")["HOST"] == "/run/db"


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="postgresql://"):
        code.parse_database("sqlite:///here.db")


def test_films_go_to_s3_by_one_setting() -> None:
    found = code.parse_storage("s3://films/er/xray?endpoint=https://s3.example&region=eu")
    assert found["BACKEND"] == "storages.backends.s3.S3Storage"
    assert found["OPTIONS"]["bucket_name"] == "films"
    assert found["OPTIONS"]["location"] == "er/xray"
    assert found["OPTIONS"]["endpoint_url"] == "https://s3.example"


def test_cookies_of_two_clones_do_not_meet() -> None:
    from xraydx.embedded import short_name

    assert short_name(Path("/srv/a/var")) != short_name(Path("/srv/b/var"))
