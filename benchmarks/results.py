"""Stored figures, each with the machine and the day that it was measured on."""

import json
import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

# A measurement is undisturbed while less than this share of the machine works for others.
QUIET = 0.1
GLANCE_S = 0.2
FOLDER = Path(__file__).resolve().parent / "results"


def store(name: str, figures: dict[str, Any]) -> Path:
    """Write the figures of one bench as results/<name>.json."""
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / f"{name}.json"
    said = {"measured_on": datetime.now(UTC).date().isoformat(), "machine": machine(), **figures}
    file.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def load(name: str) -> dict[str, Any]:
    """Read what was stored last."""
    said: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return said


def machine() -> dict[str, Any]:
    """What this machine is, as far as it bears on time."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


def busy_seconds() -> float:
    """Processor time that the machine has worked so far, whoever for."""
    times = psutil.cpu_times()
    return times.user + times.nice + times.system + times.irq + times.softirq


def wait_for_quiet(most_s: float = 10.0) -> None:
    """Wait until nothing else works on this machine for a moment, at most so long."""
    give_up_at = time.monotonic() + most_s
    while time.monotonic() < give_up_at:
        if glance() < QUIET:
            return


def glance() -> float:
    """Look for a moment: the share of the machine that works, 0..1."""
    before = busy_seconds()
    time.sleep(GLANCE_S)
    return min(1.0, (busy_seconds() - before) / (GLANCE_S * (os.cpu_count() or 1)))


def percentile(values: list[float], share: float) -> float:
    """The value that a share of the others does not exceed."""
    return sorted(values)[min(len(values) - 1, round(share * (len(values) - 1)))]
