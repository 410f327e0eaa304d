"""Gives back what a dead worker held."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from diagnosis import queue, tasks


class Command(BaseCommand):
    # A fault in a page must not keep the queue from moving.
    requires_system_checks = []
    help = "Give the films of a worker that died back to the queue, at once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the worker's name."""
        parser.add_argument("name", help="the worker's node name, or the part before its @")

    def handle(self, *args: Any, **options: Any) -> None:
        """Release, ring and say how many."""
        moved = queue.release_worker(options["name"])
        if moved:
            tasks.ring_bell()
        self.stdout.write(f"{moved} given back")
