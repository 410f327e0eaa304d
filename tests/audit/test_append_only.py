"""The database itself keeps the record: by trigger for its owner, by grant for the application."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from audit.grants import EXCEPTIONS, grants_for
from audit.services import record

SPOILING = [
    "UPDATE audit_entry SET action = 'nothing.happened'",
    "DELETE FROM audit_entry",
    "TRUNCATE audit_entry",
    "TRUNCATE audit_entry RESTART IDENTITY CASCADE",
]


@pytest.fixture
def triggers() -> None:
    """Have every trigger on, whatever the test runner switched off, until the rollback."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_entry ENABLE TRIGGER ALL")


@pytest.mark.django_db
@pytest.mark.parametrize("statement", SPOILING)
def test_the_owner_of_the_table_can_only_add(triggers: None, statement: str) -> None:
    record(actor=None, action="a.b")
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@pytest.fixture
def as_application(app_role_url: str) -> Iterator[Callable[[str], object]]:
    """Run a statement as the application's role and undo it."""
    with psycopg.connect(app_role_url) as link:

        def run(statement: str) -> object:
            return link.execute(statement)

        yield run
        link.rollback()


INSERT = (
    "INSERT INTO audit_entry (at, action, target_type, target_id, reason, detail, via, request_id)"
    " VALUES (now(), 'a.b', '', '', '', '{}', 'web', '')"
)


@pytest.mark.django_db
def test_the_application_adds_and_reads(as_application: Callable[[str], object]) -> None:
    as_application(INSERT)
    as_application("SELECT count(*) FROM audit_entry")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        *SPOILING,
        "DROP TABLE audit_entry",
        "ALTER TABLE audit_entry DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_entry_no_change ON audit_entry",
        "DROP FUNCTION audit_entry_append_only() CASCADE",
        "GRANT UPDATE ON audit_entry TO CURRENT_USER",
        "CREATE TABLE public.another (id int)",
        "SET session_replication_role = replica",
        "UPDATE django_migrations SET name = 'x'",
    ],
)
def test_the_application_can_neither_spoil_the_record_nor_what_guards_it(
    as_application: Callable[[str], object], statement: str
) -> None:
    if statement.startswith("GRANT"):
        # PostgreSQL warns and grants nothing: the proof is that the UPDATE still fails.
        as_application(statement)
        statement = SPOILING[0]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_application(statement)


@pytest.mark.django_db
def test_every_other_table_of_ours_is_open_to_the_application(app_role_url: str) -> None:
    with psycopg.connect(app_role_url) as link:
        for table in connection.introspection.table_names():
            for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"):
                row = link.execute(
                    "SELECT has_table_privilege(%s, %s)", [table, privilege]
                ).fetchone()
                assert row is not None
                assert row[0] == (privilege in grants_for(table).split(", ")), (table, privilege)


def test_the_exceptions_are_real_tables(django_db_setup: None, db: None) -> None:
    assert set(EXCEPTIONS) <= {*connection.introspection.table_names()}


@pytest.mark.django_db
def test_the_owner_s_own_role_is_not_taken_for_the_application_s() -> None:
    with pytest.raises(CommandError, match="role of this connection"):
        call_command("apply_grants", role=connection.settings_dict["USER"])
