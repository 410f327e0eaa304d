"""What the application's database role may do, table by table.

Everything belongs to the owner, who migrates. The application's role reads and writes
rows, and on the audit record it may add and read, nothing else.
"""

from django.db.backends.base.base import BaseDatabaseWrapper

ROWS = "SELECT, INSERT, UPDATE, DELETE"
EXCEPTIONS = {
    "audit_entry": "SELECT, INSERT",
    # What a person signed or saw is never changed; it goes only with an erased patient.
    "diagnosis_reading": "SELECT, INSERT, DELETE",
    "diagnosis_firstlook": "SELECT, INSERT, DELETE",
    "django_migrations": "SELECT",
    "policy_policyversion": "SELECT, INSERT",
    "policy_sitepoint": "SELECT, INSERT",
}


def grants_for(table: str) -> str:
    """Return the privileges of the application's role on a table."""
    return EXCEPTIONS.get(table, ROWS)


def apply_grants(connection: BaseDatabaseWrapper, role: str) -> list[str]:
    """Give the role exactly its privileges on every table there is, and return the tables.

    connection: the owner's, or a superuser's.
    """
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
        )
        tables = [str(row[0]) for row in cursor.fetchall()]
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {quote(role)}")
        cursor.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        for table in tables:
            cursor.execute(f"REVOKE ALL ON TABLE {quote(table)} FROM {quote(role)}, PUBLIC")
            cursor.execute(f"GRANT {grants_for(table)} ON TABLE {quote(table)} TO {quote(role)}")
        cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {quote(role)}")
    return tables
