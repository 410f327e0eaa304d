"""manage.py demo: a believable shift in an installation without patients."""

import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from patients.models import Patient
from worklist import demo


class Command(BaseCommand):
    help = "Fill an empty installation with a shift of invented patients, films and readings."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Play the shift and print how to sign in."""
        if Patient.objects.exists():
            raise CommandError(
                "There are patients already, and invented ones must not stand among them. "
                "Use a new installation: XRAYDX_VAR=var/demo make demo"
            )
        films = demo.play(say=self.stdout.write)
        password = f"demo-{secrets.token_hex(4)}-{secrets.token_hex(4)}"
        names = demo.give_passwords(password)
        self.stdout.write(f"{films} films read. Sign in as one of {', '.join(names)}")
        self.stdout.write(f"  Password:  {password}")
