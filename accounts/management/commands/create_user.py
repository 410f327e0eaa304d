"""manage.py create_user USERNAME --role ROLE [--full-name NAME]"""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.forms import check_username
from accounts.roles import Role
from accounts.services import create_user
from xraydx.errors import UserError, message_for


class Command(BaseCommand):
    help = "Add an account and print its one-time password (a program's account has none)."
    # Nothing but the answer is printed, not even advice about settings.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take name and role."""
        parser.add_argument("username")
        parser.add_argument("--role", choices=Role.values, required=True)
        parser.add_argument("--full-name", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the one-time password."""
        try:
            check_username(options["username"])
            password = create_user(
                username=options["username"],
                full_name=options["full_name"],
                role=options["role"],
                by=None,
            )[1]
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except UserError as error:
            what, do = message_for(error.code).fill(error.params)
            raise CommandError(f"{what} {do}") from error
        if password is not None:
            self.stdout.write(password)
