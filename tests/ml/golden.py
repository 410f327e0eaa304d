"""What the release in use says of generated films, kept so that a change cannot pass unseen.

python -m tests.ml.golden      writes golden.json anew; look at the differences before they go in.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ml.bundle import WEIGHTS
from ml.imaging.decode import PICTURE_PX, decode
from ml.imaging.synthetic import Opacity, sample_film
from ml.imaging.write import to_dicom, to_png
from ml.read import Reader, load_reader

FILE = Path(__file__).with_suffix(".json")
OPACITY = Opacity(x=0.3, y=0.55, radius=0.09, strength=0.5)
FILMS = {
    "PNG 1024": lambda: to_png(sample_film(11, 1024)),
    "PNG with an opacity": lambda: to_png(sample_film(12, 1024, opacity=OPACITY)),
    "DICOM 2000 x 2400": lambda: to_dicom(sample_film(13, (2400, 2000)), name="golden"),
}
# Candidates below are too many to look at, and shown nowhere.
LEAST_SCORE = 0.04
# What takes time or names the release says nothing of the film.
LEFT_OUT = ("timings_ms", "release")


def read_all(reader: Reader) -> dict[str, Any]:
    """The reading of each film, as JSON values."""
    readings = {}
    for name, draw in FILMS.items():
        said = reader.read(decode(draw(), longest=PICTURE_PX)).to_json()
        readings[name] = {key: value for key, value in said.items() if key not in LEFT_OUT}
    return readings


def main() -> None:
    """Write the file."""
    reader = load_reader(weights=WEIGHTS)
    films = read_all(reader)
    for said in films.values():
        said["lesions"] = [box for box in said["lesions"] if box["score"] >= LEAST_SCORE]
    said = {"release": reader.release.name, "films": films}
    FILE.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
