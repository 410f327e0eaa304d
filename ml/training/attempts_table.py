"""Writes the table of attempts that did not reach a goal, from attempts.json; needs no torch."""

from __future__ import annotations

import json
from pathlib import Path

STORED = Path(__file__).parent / "attempts.json"


def attempt_lines(path: Path = STORED) -> list[str]:
    """The lines of the table in docs/models.md."""
    lines = [
        "| network | attempt | films drawn | figure | value | what was learned |",
        "|---|---|---|---|---|---|",
    ]
    for row in json.loads(path.read_text()):
        lines.append(
            f"| {row['network']} | {row['what']} | {row['films drawn']:,} | {row['figure']} | "
            f"{row['value']:.4g} | {row['learned']} |"
        )
    return lines
