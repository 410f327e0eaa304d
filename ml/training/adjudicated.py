"""Reads the labels on which several radiologists agreed (nih/adjudicated.csv)."""

from __future__ import annotations

import csv
from pathlib import Path

# the findings of these labels, and those of ours that say the same
ADJUDICATED: dict[str, tuple[str, ...]] = {
    "Pneumothorax": ("Pneumothorax",),
    "Airspace opacity": ("Infiltration", "Consolidation", "Pneumonia", "Atelectasis", "Edema"),
    "Nodule or mass": ("Nodule", "Mass"),
}


def read_adjudicated(root: Path) -> dict[str, dict[str, bool]]:
    """Read nih/adjudicated.csv: film → finding → does it show; empty where there is none."""
    path = root / "nih" / "adjudicated.csv"
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        return {
            Path(row["Image Index"]).stem: {name: row[name] == "YES" for name in ADJUDICATED}
            for row in csv.DictReader(file)
        }
