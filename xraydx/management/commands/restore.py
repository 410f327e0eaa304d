"""manage.py restore FILE: fill an empty installation from a backup."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from audit.services import record
from xraydx.backup import BackupError, restore_backup


class Command(BaseCommand):
    help = "Fill an empty installation from a file that `backup` wrote; nothing is overwritten."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the file's name."""
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate, check the file, fill, and say what came back."""
        call_command("migrate", verbosity=0, interactive=False)
        try:
            made = restore_backup(options["file"].resolve(), database=settings.DATABASE_OWNER_URL)
        except (BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        call_command("apply_grants", verbosity=0)
        record(actor=None, action="backup.restore")
        patients, films = made.rows["patients_patient"], made.rows["diagnosis_film"]
        self.stdout.write(f"{patients} patients and {films} films are back.")
