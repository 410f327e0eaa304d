"""manage.py measure_reference LIST: what a release gives for films that it was validated on."""

import json
from argparse import ArgumentParser
from collections import defaultdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from diagnosis.pipeline import reader_for
from diagnosis.selectors import current_release
from ml.imaging.decode import decode
from ml.refusal import Refusal
from quality.drift import deciles_of
from quality.reference import FOLDER, quantities_of


class Command(BaseCommand):
    help = "Read films with a release and keep the deciles of what it gives, for the drift page."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the list of films and the release."""
        parser.add_argument("list", type=Path, help="a file with one film's path a line")
        parser.add_argument("--release", default="", help="the active one where none is named")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read every film and write the reference."""
        release = options["release"] or current_release()
        paths = [Path(line) for line in options["list"].read_text().split("\n") if line.strip()]
        reader = reader_for(release)
        values: dict[str, list[float]] = defaultdict(list)
        refused = 0
        for path in paths:
            try:
                reading = reader.read(decode(path.read_bytes()))
            except Refusal:
                refused += 1
                continue
            if reading.findings is None:
                refused += 1
                continue
            found = quantities_of(
                quality=reading.quality,
                anatomy=reading.anatomy,
                anomaly=reading.anomaly,
                abnormal=reading.abnormal,
                probabilities=reading.findings,
            )
            for name, value in found.items():
                values[name].append(value)
        try:
            deciles = {
                name: [round(one, 6) for one in deciles_of(row)] for name, row in values.items()
            }
        except ValueError as error:
            raise CommandError("Fewer than ten of these films were read.") from error
        said = {"release": release, "films": len(paths), "refused": refused, "deciles": deciles}
        target = FOLDER / f"{release}.json"
        target.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
        self.stdout.write(f"{target}: {len(paths) - refused} films, {refused} refused.")
