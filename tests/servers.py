"""Start a real PostgreSQL and a real Redis once per test run, in a folder of its own.

Loaded with `-p tests.servers` before Django reads its settings. Several runs go side by side:
each has its own folder, sockets and passwords.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from xraydx.embedded import Servers

# A short folder, because a socket's path must be; passing through it is open to the servers' user.
FOLDER = Path(tempfile.mkdtemp(prefix="xdx-", dir="/tmp"))
FOLDER.chmod(0o711)
SERVERS = Servers(FOLDER / "var", for_tests=True)

os.environ["XRAYDX_VAR"] = str(SERVERS.var)
os.environ["DATABASE_URL"] = SERVERS.database_url
os.environ["DATABASE_OWNER_URL"] = SERVERS.owner_url
os.environ["REDIS_URL"] = SERVERS.redis_url
os.environ["XRAYDX_HTTPS"] = "0"


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The running servers, for tests that connect by themselves."""
    SERVERS.start()
    return SERVERS


@pytest.fixture(scope="session")
def django_db_modify_db_settings(servers: Servers) -> None:
    """Have PostgreSQL run before the test database is made."""


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: object) -> None:
    """Give the application's role its grants in the test database."""
    from django.core.management import call_command
    from django.db import connection

    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        call_command("apply_grants", verbosity=0)
        # Transactional tests empty every table; the trigger is tested inside a transaction.
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_no_truncate")


@pytest.fixture(scope="session")
def app_role_url(servers: Servers, django_db_setup: None) -> str:
    """The test database's address for the application's role, which owns no table."""
    return servers.postgres.url("xraydx_app", "test_xraydx")


@pytest.fixture
def live_environment(app_role_url: str, servers: Servers, tmp_path: Path) -> dict[str, str]:
    """Environment for processes that work on the test database (use a transactional test)."""
    return {
        **os.environ,
        "DATABASE_URL": app_role_url,
        "DATABASE_OWNER_URL": servers.postgres.url("xraydx_owner", "test_xraydx"),
        "XRAYDX_DATABASE_ROLE": "app",
        "REDIS_URL": servers.redis_url,
        "DJANGO_SETTINGS_MODULE": "xraydx.settings",
        "XRAYDX_STORAGE": str(tmp_path / "films"),
        "XRAYDX_LOG": "text",
    }


def pytest_unconfigure() -> None:
    """End the servers and remove their folder."""
    SERVERS.stop()
    shutil.rmtree(FOLDER, ignore_errors=True)
