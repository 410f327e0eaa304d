"""Writes what reading a film costs from the stored figures; needs no torch."""

from __future__ import annotations

import json
from pathlib import Path

STORED = Path(__file__).parent / "measured" / "speed.json"


def speed_lines(path: Path = STORED) -> list[str]:
    """The lines of the table in docs/models.md; none where nothing was stored."""
    if not path.exists():
        return []
    said = json.loads(path.read_text())
    total = said["medians_ms"]["total"]
    rows = [
        f"| {name} | {value:.1f} ms | {100 * value / total:.0f} % |"
        for name, value in said["medians_ms"].items()
    ]
    return [
        f"Release {said['release']}, one thread, one decoded film of 1024 × 1024 pixels, "
        f"{said['films']} readings, by `python -m ml speed`.",
        "",
        "| stage | median | share |",
        "|---|---|---|",
        *rows,
        "",
        f"95 of 100 readings take at most {said['slowest_ms']:.0f} ms; processor time "
        f"{said['processor_ms']:.0f} ms; memory {said['resident_mb']:.0f} MB; the release's files "
        f"{said['disk_mb']:.1f} MB.",
    ]
