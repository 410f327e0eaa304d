"""The reaper's clock: gives back what nobody works on any more. Needs no broker."""

import logging
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.utils import timezone

from accounts import services as accounts
from diagnosis import films, presence, queue, quick, removal, retention, services, tasks
from patients import importing

log = logging.getLogger("diagnosis.clock")

PERIOD_S = 2.0
TICKS_BETWEEN_SWEEPS = 1800


class Command(BaseCommand):
    # A fault in a page must not keep the queue from moving.
    requires_system_checks = []
    help = "Watch the queue: give films of dead workers to others, until stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the period, and whether to stop after one round."""
        parser.add_argument("--period", type=float, default=PERIOD_S, metavar="SECONDS")
        parser.add_argument("--once", action="store_true", help="one round, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        """Tick until SIGTERM or SIGINT."""
        if options["once"]:
            tick(sweep=True)
            return
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        count = 0
        while not stopping.is_set():
            _survive(sweep=count % TICKS_BETWEEN_SWEEPS == 0)
            count += 1
            stopping.wait(options["period"])


def tick(*, sweep: bool) -> int:
    """One round; returns how many analyses moved."""
    moved = queue.reap()
    if moved:
        log.warning("reaped %d analyses", moved)
        tasks.ring_bell()
    if sweep:
        accounts.tidy()
        services.forget_old_keys()
        presence.forget_old()
        queue.forget_old_workers()
        retention.delete_overdue()
        removal.erase_expired()
        importing.forget_old()
        sweep_storage()
    return moved


def sweep_storage() -> None:
    """Drop quick reads, and look through a twenty-fourth of the films: in a day, all of them."""
    try:
        quick.forget_old()
        removed = removal.sweep(removal.FOLDERS[timezone.now().hour :: 24])
    except films.StorageUnavailable as error:
        log.warning("storage not swept: %s", error)
        return
    if removed:
        log.warning("swept %d films and analyses that no row names", removed)


def _survive(*, sweep: bool) -> None:
    try:
        close_old_connections()
        tick(sweep=sweep)
    except (DatabaseError, InterfaceError) as error:
        log.warning("clock missed a tick: %s", type(error).__name__)
        connection.close()
