"""manage.py prepare: bring the database to this version, as its owner."""

from io import StringIO
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor


class Command(BaseCommand):
    help = "Migrate, set the grants and make the first administrator; safe to repeat."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what is left to do, and nothing else."""
        try:
            executor = MigrationExecutor(connection)
        except OperationalError as error:
            raise CommandError(f"The database can't be reached: {error}") from error
        refuse_newer(executor)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            self.stdout.write("xraydx: preparing the database")
            call_command("migrate", verbosity=0, interactive=False)
        if connection.settings_dict["USER"] != settings.DATABASE_APP_ROLE:
            call_command("apply_grants", verbosity=0)
        self._make_administrator()

    def _make_administrator(self) -> None:
        made = StringIO()
        call_command("bootstrap_admin", stdout=made)
        password = made.getvalue().strip()
        if password:
            self.stdout.write(
                "\n  First sign-in:  admin\n"
                f"  Password:       {password}\n"
                "  It is shown this once; change it after signing in.\n"
            )


def refuse_newer(executor: MigrationExecutor) -> None:
    """Stop before a newer version's database is touched.

    raises: CommandError
    """
    known = set(executor.loader.disk_migrations)
    apps = {app for app, _ in known}
    unknown = sorted(
        f"{app}.{name}"
        for app, name in executor.loader.applied_migrations
        if app in apps and (app, name) not in known and not _was_squashed(executor, app, name)
    )
    if unknown:
        raise CommandError(
            f"This database was made by a newer version of xraydx ({unknown[-1]} is unknown "
            "here).\n  Run that version (git pull, then make run), or restore a backup that "
            "this version made."
        )


def _was_squashed(executor: MigrationExecutor, app: str, name: str) -> bool:
    return any((app, name) in one.replaces for one in executor.loader.disk_migrations.values())
