"""manage.py run_shadow: a new release reads new films silently, until stopped."""

import os
import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import close_old_connections

from quality.shadow import read_waiting

PERIOD_S = 5.0
NICE = 10


class Command(BaseCommand):
    help = "Read new films with the release that the site runs silently; physicians see nothing."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take whether to stop when nothing waits."""
        parser.add_argument("--once", action="store_true", help="end when nothing waits")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read until SIGTERM or SIGINT, behind everything else on this machine."""
        if options["once"]:
            while read_waiting():
                pass
            return
        os.nice(NICE)
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        while not stopping.is_set():
            if not read_waiting():
                close_old_connections()
                stopping.wait(PERIOD_S)
