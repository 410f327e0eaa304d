"""manage.py create_api_token USERNAME --scope read --scope write [--days N]"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Scope, User
from accounts.tokens import DAYS_DEFAULT, create_token
from xraydx.errors import UserError, message_for


class Command(BaseCommand):
    help = "Make an API token for an account and print it, and nothing else, once."
    # Nothing but the answer is printed, not even advice about settings.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take account, scopes and days."""
        parser.add_argument("username", help="the account that the token acts for")
        parser.add_argument(
            "--scope", action="append", choices=Scope.values, required=True, dest="scopes"
        )
        parser.add_argument("--days", type=int, default=DAYS_DEFAULT, help="how long it lasts")
        parser.add_argument("--name", default="command line", help="what it is for")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the token."""
        username = User.normalize_username(options["username"])
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(
                f"There is no account {username!r}. Make one under Users, or with: "
                f"manage.py create_user {username} --role integration"
            )
        try:
            secret = create_token(
                user=user,
                scopes=options["scopes"],
                by=None,
                name=options["name"],
                days=options["days"],
            )[1]
        except UserError as error:
            what, do = message_for(error.code).fill(error.params)
            raise CommandError(f"{what} {do}") from error
        self.stdout.write(secret)
