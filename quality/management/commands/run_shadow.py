"""manage.py run_shadow: reads films with the release that the site runs silently."""

import logging
import os
import signal
import sys
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from policy.selectors import present

log = logging.getLogger("quality.shadow")
PERIOD_S = 5.0
# The least that there is; SCHED_IDLE besides, where the system has it: only what is left over.
NICE = 19


class Command(BaseCommand):
    help = "Read films with the release that the site runs silently; physicians see nothing of it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take whether to stop when nothing waits."""
        parser.add_argument("--once", action="store_true", help="end when nothing waits")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read until SIGTERM or SIGINT, while nobody waits for a film, behind everything else."""
        if options["once"]:
            from quality.shadow import read_waiting

            while read_waiting(stop=lambda: False):
                pass
            return
        yield_to_all()
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        chosen = ""
        while not stopping.is_set():
            before, (chosen, count) = chosen, _look(stopping)
            if before and not chosen:
                # Begin anew without the networks, which would stay in memory.
                os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606
            if not count:
                stopping.wait(PERIOD_S)


def yield_to_all() -> None:
    """Take only processor time that nobody else wants."""
    os.nice(NICE)
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _look(stopping: threading.Event) -> tuple[str, int]:
    """Which release runs silently, and how many films it read now."""
    try:
        close_old_connections()
        chosen = present().shadow_release
        return chosen, _read(stopping) if chosen else 0
    except (DatabaseError, InterfaceError) as error:
        log.warning("silent release missed a look: %s", type(error).__name__)
        connection.close()
        return "", 0


def _read(stopping: threading.Event) -> int:
    # Late: a site without a silent release holds no networks in this process.
    from quality import shadow

    try:
        return shadow.read_waiting(stop=lambda: stopping.is_set() or shadow.is_busy())
    except shadow.CANNOT_READ as error:
        log.warning("silent release cannot read: %s", error)
        return 0
