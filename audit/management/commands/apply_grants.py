"""manage.py apply_grants: run as the tables' owner after every migrate."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from audit.grants import apply_grants


class Command(BaseCommand):
    help = "Give the application's database role its privileges: on the audit record only adding."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the role's name."""
        parser.add_argument("--role", default=settings.DATABASE_APP_ROLE)

    def handle(self, *args: Any, **options: Any) -> None:
        """Apply the table of grants in one transaction."""
        role = options["role"]
        if role == connection.settings_dict["USER"]:
            raise CommandError(
                f"{role} is the role of this connection: a role that owns the audit table can "
                "take back any limit. Run this as the owner (DATABASE_OWNER_URL) for another "
                "role (DATABASE_URL)."
            )
        with transaction.atomic():
            tables = apply_grants(connection, role)
        if options["verbosity"] > 0:
            self.stdout.write(f"Privileges of {role} set on {len(tables)} tables.")
