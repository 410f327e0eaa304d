"""Fixtures that every test may use."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

# Named again here, because a plugin's fixtures give way to those of pytest-django.
from tests.servers import (  # noqa: F401
    django_db_modify_db_settings,
    django_db_setup,
)

# They need torch and run by `make test-training`.
collect_ignore = [] if find_spec("torch") else ["ml/training"]


@pytest.fixture(autouse=True)
def _own_storage(tmp_path: Path, settings: object) -> None:
    """Every test keeps its films in a folder of its own."""
    from xraydx.settings import parse_storage

    settings.STORAGE = str(tmp_path / "films")  # type: ignore[attr-defined]
    settings.STORAGES = {  # type: ignore[attr-defined]
        **settings.STORAGES,  # type: ignore[attr-defined]
        "default": parse_storage(str(tmp_path / "films")),
    }


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Every test begins in English; a request leaves its language to its thread."""
    from django.utils import translation

    with translation.override("en", deactivate=True):
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The shared films; tests that need them are skipped where they are not."""
    from django.conf import settings

    folder = Path(os.environ.get("XRAYDX_SHARED", settings.SHARED))
    if not folder.is_dir():
        pytest.skip(f"no shared films in {folder}")
    return folder
