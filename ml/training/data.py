"""Reads the folders in which chest-film collections are published into one list of films.

Four layouts: this project's shared folder (nih/films.csv and its neighbours), Kaggle's NIH folder
(Data_Entry_2017*.csv beside images*/), Kaggle's chest_xray ({train,test}/{NORMAL,PNEUMONIA}), and a
folder with a CSV (columns film or file, labels, and whichever of patient, age, sex, view, split it
has). Prepared films are kept in one memory-mapped array per list, under var/cache.
"""

from __future__ import annotations

import csv
import hashlib
import os
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.lib.format import open_memmap

from ml.imaging.preprocess import prepare
from ml.training.progress import track

SHARED = Path(os.environ.get("XRAYDX_SHARED", "../shared/data"))
CACHE = Path(os.environ.get("XRAYDX_VAR", "var")) / "cache"
SUFFIXES = (".webp", ".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Film:
    """One film with what is known of it.

    name: unique inside its collection; source: the list that it stands in
    labels: names of findings, empty for No Finding
    split: train, val or test; reading: what RSNA's radiologists said of it, or empty
    """

    path: Path
    name: str
    patient: str
    labels: frozenset[str]
    split: str
    source: str
    age: float | None = None
    sex: str = ""
    view: str = ""
    reading: str = ""
    official: str = ""


@dataclass(frozen=True)
class Box:
    """A lesion's box on a film, in fractions of its width and height."""

    film: str
    label: str
    corners: tuple[float, float, float, float]


class LayoutError(Exception):
    """The folder is in none of the layouts that can be read."""


def split_by_patient(patient: str, *, val: float = 0.06, test: float = 0.0) -> str:
    """Draw a split from a hash of the patient, so that nobody stands in two."""
    draw = zlib.crc32(patient.encode()) / 2**32
    if draw < test:
        return "test"
    return "val" if draw < test + val else "train"


def split_into_folds(
    films: Sequence[Film], *, index: int = 0, of: int = 1
) -> tuple[list[Film], list[Film]]:
    """Leave one fold of patients out of a list of films; with one fold, nobody.

    returns: films to learn from, films left out
    """
    if of == 1:
        return list(films), []
    left_out = {f.patient for f in films if zlib.crc32(f"fold {f.patient}".encode()) % of == index}
    return (
        [film for film in films if film.patient not in left_out],
        [film for film in films if film.patient in left_out],
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def _labels(text: str) -> frozenset[str]:
    return frozenset(part for part in text.split("|") if part and part != "No Finding")


def _age(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _film(row: dict[str, str], path: Path, *, source: str) -> Film:
    name = row.get("film") or path.stem
    patient = row.get("patient") or name
    return Film(
        path=path,
        name=name,
        patient=patient,
        labels=_labels(row.get("labels", "")),
        split=row.get("split") or split_by_patient(patient),
        source=source,
        age=_age(row.get("age")),
        sex=row.get("sex", ""),
        view=row.get("view", ""),
        reading=row.get("rsna", ""),
        official=row.get("official_list", ""),
    )


def read_shared_nih(
    root: Path, lists: Sequence[str] = ("films", "normals", "lungs_only")
) -> list[Film]:
    """Read nih/ of the shared folder: whole films, normals, and films with lungs only."""
    films = []
    for source in lists:
        folder = root / "nih" / source
        for row in _rows(root / "nih" / f"{source}.csv"):
            films.append(_film(row, folder / f"{row['film']}.webp", source=source))
    return films


def read_kaggle_nih(root: Path) -> list[Film]:
    """Read Kaggle's NIH folder; the official lists of films say what is test."""
    table = sorted(root.glob("Data_Entry_2017*.csv"))[0]
    paths = {path.name: path for path in sorted(root.rglob("*.png"))}
    test_list = root / "test_list.txt"
    test = set(test_list.read_text().split()) if test_list.exists() else set()
    films = []
    for row in _rows(table):
        path = paths.get(row["Image Index"])
        if path is None:
            continue
        patient = row["Patient ID"]
        films.append(
            Film(
                path=path,
                name=path.stem,
                patient=patient,
                labels=_labels(row["Finding Labels"]),
                split="test" if path.name in test else split_by_patient(patient),
                source="films",
                age=_age(row.get("Patient Age")),
                sex=row.get("Patient Gender") or row.get("Patient Sex") or "",
                view=row.get("View Position", ""),
                official="test" if path.name in test else "train_val",
            )
        )
    return films


def read_kaggle_chest_xray(root: Path) -> list[Film]:
    """Read Kaggle's chest_xray folder of Guangzhou's children: NORMAL or PNEUMONIA."""
    films = []
    for path in sorted(root.glob("*/*/*")):
        folder, kind = path.parts[-3], path.parts[-2]
        if kind not in ("NORMAL", "PNEUMONIA") or path.suffix.lower() not in SUFFIXES:
            continue
        # person12_bacteria_46.jpeg, IM-0115-0001.jpeg, NORMAL2-IM-0027-0001.jpeg
        patient = path.stem.split("_")[0] if kind == "PNEUMONIA" else path.stem.rsplit("-", 1)[0]
        labels = frozenset({"Pneumonia"}) if kind == "PNEUMONIA" else frozenset()
        split = "test" if folder == "test" else split_by_patient(patient)
        films.append(Film(path, path.stem, f"{kind}/{patient}", labels, split, "films"))
    return films


def read_csv_folder(root: Path) -> list[Film]:
    """Read a folder that holds one CSV with a column film or file, and labels."""
    films = []
    paths = {p.stem: p for p in sorted(root.rglob("*")) if p.suffix.lower() in SUFFIXES}
    for row in _rows(sorted(root.glob("*.csv"))[0]):
        named = row.get("file") or row.get("film") or ""
        path = root / named if (root / named).is_file() else paths.get(Path(named).stem)
        if path is not None:
            films.append(_film(row, path, source="films"))
    return films


def read_layout(root: Path) -> list[Film]:
    """Read a folder in whichever layout it is.

    raises: LayoutError naming what was looked for
    """
    readers: list[tuple[str, Callable[[Path], list[Film]]]] = [
        ("nih/films.csv", read_shared_nih),
        ("Data_Entry_2017*.csv", read_kaggle_nih),
        ("train/PNEUMONIA", read_kaggle_chest_xray),
        ("*.csv", read_csv_folder),
    ]
    for pattern, reader in readers:
        if any(root.glob(pattern)):
            films = reader(root)
            if films:
                return films
    looked_for = ", ".join(pattern for pattern, _ in readers)
    raise LayoutError(f"{root} holds none of: {looked_for} with films beside it")


def read_boxes(root: Path) -> list[Box]:
    """Read lesion boxes: nih/boxes.csv of the shared folder, or Kaggle's BBox_List_2017.csv."""
    shared = root / "nih" / "boxes.csv"
    if shared.exists():
        return [
            Box(
                r["film"],
                r["label"],
                (float(r["x0"]), float(r["y0"]), float(r["x1"]), float(r["y1"])),
            )
            for r in _rows(shared)
        ]
    boxes = []
    with (root / "BBox_List_2017.csv").open(newline="") as file:
        for name, label, *rest in list(csv.reader(file))[1:]:
            x, y, width, height = (float(value) / 1024 for value in rest[:4])
            corners = (x, y, x + width, y + height)
            boxes.append(Box(Path(name).stem, label.replace("Infiltrate", "Infiltration"), corners))
    return boxes


def read_soft_labels(root: Path) -> dict[str, dict[str, float]]:
    """Read nih/soft_labels.csv: film → finding → probability; empty where there is none."""
    path = root / "nih" / "soft_labels.csv"
    if not path.exists():
        return {}
    return {
        row["film"]: {name: float(value) for name, value in row.items() if name != "film"}
        for row in _rows(path)
    }


def load_pixels(path: Path) -> np.ndarray:
    """Read a film file as grey.

    returns: [H, W] float32 in 0..1
    raises: FileNotFoundError where it can't be read
    """
    stored = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    if stored is None:
        raise FileNotFoundError(f"no film can be read from {path}")
    return stored.astype(np.float32) / float(255 if stored.dtype == np.uint8 else 65535)


def cache_prepared(
    paths: Sequence[Path],
    *,
    size: int,
    number: int,
    folder: Path | None = None,
    note: str = "films",
) -> np.ndarray:
    """Prepare films once and keep them in a memory-mapped array; later calls only open it.

    returns: [N, size, size] uint8, read-only, in the order of paths
    """

    def make(index: int) -> np.ndarray:
        return prepare(load_pixels(paths[index]), size=size, number=number)

    note = f"{note}-{size}-p{number}"
    return cache_made(paths, make, shape=(size, size), note=note, folder=folder)


def cache_made(
    paths: Sequence[Path],
    make: Callable[[int], np.ndarray],
    *,
    shape: tuple[int, ...],
    note: str,
    folder: Path | None = None,
    workers: int = 2,
) -> np.ndarray:
    """Keep what is made of films once in a memory-mapped array; later calls only open it.

    make: gives an array of the shape, uint8, for the index of a path; called in as many threads
    as there are workers
    returns: [N, *shape] uint8, read-only, in the order of paths
    """
    folder = folder or CACHE
    key = hashlib.sha256("\n".join(str(path) for path in paths).encode()).hexdigest()[:12]
    target = folder / f"{note}-{key}.npy"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(f".{os.getpid()}.partial")
        array = open_memmap(partial, mode="w+", dtype=np.uint8, shape=(len(paths), *shape))

        def fill(index: int) -> None:
            array[index] = make(index)

        with ThreadPoolExecutor(workers) as pool:
            done = pool.map(fill, range(len(paths)))
            for _ in track(done, total=len(paths), label=f"preparing {note}"):
                pass
        array.flush()
        partial.rename(target)
    return np.load(target, mmap_mode="r")
