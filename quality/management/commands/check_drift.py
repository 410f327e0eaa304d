"""manage.py check_drift: ends with 1 where films or results have drifted, for a monitor."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from diagnosis.selectors import current_release
from quality import selectors


class Command(BaseCommand):
    help = "Compare the last films with the release's validation set; ends with 1 on an alarm."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line for each quantity that drifted."""
        report = selectors.drift(None, current_release())
        for one in report.alarms:
            self.stdout.write(f"{one.quantity}: index {one.index:.2f} over {one.films} films")
        if report.alarms:
            sys.exit(1)
