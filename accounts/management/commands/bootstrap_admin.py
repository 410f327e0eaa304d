"""manage.py bootstrap_admin: the first account of a new installation."""

from typing import Any

from django.core.management.base import BaseCommand

from accounts.services import bootstrap_admin


class Command(BaseCommand):
    help = "Make the administrator 'admin' and print the password once; do nothing where it exists."
    # Nothing but the answer is printed, not even advice about settings.
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the password of the account that was just made."""
        password = bootstrap_admin()
        if password is not None:
            self.stdout.write(password)
