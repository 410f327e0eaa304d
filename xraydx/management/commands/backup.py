"""manage.py backup FILE: database, films and pictures in one file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from audit.services import record
from xraydx.backup import BackupError, make_backup


class Command(BaseCommand):
    help = "Write everything that cannot be made again into one file, while work goes on."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the file's name."""
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the file and say what it holds."""
        record(actor=None, action="backup.make")
        try:
            made = make_backup(options["file"].resolve(), database=settings.DATABASE_OWNER_URL)
        except (BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        patients, films = made.rows["patients_patient"], made.rows["diagnosis_film"]
        self.stdout.write(f"{options['file']}: {patients} patients, {films} films.")
