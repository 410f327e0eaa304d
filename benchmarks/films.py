"""Seconds from upload to stored result on an installation of its own, with each stage's share.

python -m benchmarks films [--films N] [--workers N]
"""

import argparse
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import psycopg
from django.conf import settings

from ml.imaging.synthetic import sample_film
from ml.imaging.write import to_dicom, to_png
from tests.flows.program import Program, make_token
from tests.flows.supervised import Installation, installation, wait_for
from xraydx.embedded_postgres import OWNER

KINDS: dict[str, Callable[[int], bytes]] = {
    "PNG 1024 × 1024": lambda seed: to_png(sample_film(seed, 1024)),
    "DICOM 2500 × 3000": lambda seed: to_dicom(sample_film(seed, (3000, 2500)), name="Sample"),
}
AT_ONCE = 20
# Stored times and stages of each analysis; seconds run from the film's row to the result's.
RESULTS = """
SELECT extract(epoch FROM finished_at - created_at), extract(epoch FROM started_at - created_at),
       timings_ms, status
FROM diagnosis_analysis WHERE id = ANY(%s)
"""


@dataclass
class Figures:
    """What one round of films measured."""

    title: str
    seen_s: list[float]
    stored_s: list[float] = field(default_factory=list)
    stages_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: int = 0

    def print(self) -> None:
        """Median and 95th percentile, then each stage's median."""
        print(f"\n{self.title}: {len(self.seen_s)} films, {self.refused} refused")
        for name, values in (("upload to answer", self.seen_s), ("row to result", self.stored_s)):
            middle, high = statistics.median(values), percentile(values, 0.95)
            print(f"  {name:<18} median {middle:6.3f} s   p95 {high:6.3f} s")
        total = sum(statistics.median(values) for values in self.stages_ms.values()) or 1.0
        for stage, values in self.stages_ms.items():
            middle = statistics.median(values)
            print(f"    {stage:<16} {middle:7.1f} ms  {100 * middle / total:4.0f} %")


def percentile(values: list[float], share: float) -> float:
    """The value that a share of the others does not exceed."""
    return sorted(values)[min(len(values) - 1, round(share * (len(values) - 1)))]


def measure(
    one: Installation, program: Program, title: str, films: list[bytes], *, at_once: int
) -> Figures:
    """Send the films, so many side by side, and gather what was stored about them."""
    visit = program.open_visit()
    ids: list[str] = []

    def send(film: bytes) -> float:
        started = time.perf_counter()
        status, found = program.send_film(visit, film, Prefer="wait=30")
        if status == 202:
            found = program.result_of(found["id"], seconds=120)
        elif status != 200:
            raise SystemExit(f"An upload was answered with {status}: {found}")
        ids.append(found["id"])
        return time.perf_counter() - started

    with ThreadPoolExecutor(at_once) as pool:
        figures = Figures(title, list(pool.map(send, films)))
    with psycopg.connect(one.servers.postgres.url(OWNER)) as connection:
        for stored, waited, stages, status in connection.execute(RESULTS, [ids]):
            figures.stored_s.append(float(stored))
            figures.stages_ms["waiting"].append(float(waited) * 1000)
            figures.refused += status == "refused"
            for stage, milliseconds in (stages or {}).items():
                if isinstance(milliseconds, int | float):
                    figures.stages_ms[stage].append(float(milliseconds))
    return figures


def main(arguments: list[str] | None = None) -> int:
    """Measure both kinds, one at a time and many at once, and a worker's films per hour."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks films")
    parser.add_argument("--films", type=int, default=20, help="films of each kind")
    parser.add_argument("--workers", type=int, default=2, help="workers of the installation")
    options = parser.parse_args(arguments)
    if not settings.configured:
        settings.configure()
    os.environ.setdefault("XRAYDX_API_UPLOADS_PER_MINUTE", "100000")
    with installation() as one:
        one.start(XRAYDX_WORKERS=str(options.workers))
        wait_for(lambda: one.answers("/readyz"), seconds=180)
        program = Program(f"http://127.0.0.1:{one.port}", make_token(one))
        seed = 0
        for kind, draw in KINDS.items():
            for at_once, rounds in ((1, options.films), (AT_ONCE, AT_ONCE)):
                films = [draw(seed + number) for number in range(rounds)]
                seed += rounds
                started = time.perf_counter()
                manner = "one at a time" if at_once == 1 else f"{at_once} at once"
                figures = measure(one, program, f"{kind}, {manner}", films, at_once=at_once)
                figures.print()
                if at_once > 1:
                    hourly = 3600 * rounds / (time.perf_counter() - started) / options.workers
                    print(f"  films per hour and worker: {hourly:.0f}")
    return 0
