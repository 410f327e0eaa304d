"""Says how long a release takes for a film, stage by stage, and how large it is."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from dataclasses import dataclass

from ml.imaging.radiograph import Radiograph
from ml.read import Reader

WARM_UP = 2  # readings that are not counted


@dataclass(frozen=True)
class Speed:
    """What reading a decoded film costs.

    medians_ms: stage → median; total is that of whole readings
    slowest_ms: 95th percentile of whole readings
    processor_ms: median processor time of a whole reading, which other programs stretch less
    resident_mb: largest memory of this process; disk_mb: all files of the release's bundles
    """

    films: int
    medians_ms: dict[str, float]
    slowest_ms: float
    processor_ms: float
    resident_mb: float
    disk_mb: float


def measure_speed(reader: Reader, film: Radiograph, *, rounds: int) -> Speed:
    """Read one film again and again.

    rounds: readings that are counted, at least 2
    """
    reader.warm_up()
    for _ in range(WARM_UP):
        reader.read(film)
    taken, worked = [], []
    for _ in range(rounds):
        begun = time.process_time()
        taken.append(reader.read(film).timings_ms)
        worked.append((time.process_time() - begun) * 1e3)
    totals = sorted(times["total"] for times in taken)
    disk = sum(
        path.stat().st_size
        for member, bundle in reader.release.bundles.items()
        if member != "synthetic"
        for path in bundle.folder.iterdir()
    )
    # Linux counts in kilobytes, macOS in bytes
    unit = 1 if sys.platform == "darwin" else 1024
    return Speed(
        films=rounds,
        medians_ms={name: statistics.median(t[name] for t in taken) for name in taken[0]},
        slowest_ms=totals[min(len(totals) - 1, round(0.95 * len(totals)))],
        processor_ms=statistics.median(worked),
        resident_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6,
        disk_mb=disk / 1e6,
    )


def lines_of(speed: Speed) -> list[str]:
    """The figures as lines of a table, each stage with its share."""
    total = speed.medians_ms["total"]
    lines = [
        f"{name:<12} {value:7.1f} ms  {100 * value / total:5.1f} %"
        for name, value in speed.medians_ms.items()
    ]
    return [
        *lines,
        f"95 of 100 readings within {speed.slowest_ms:.0f} ms; {speed.films} readings",
        f"processor time {speed.processor_ms:.1f} ms",
        f"memory {speed.resident_mb:.0f} MB, release on disk {speed.disk_mb:.1f} MB",
    ]
