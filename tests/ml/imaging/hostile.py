"""Broken, lying and hostile files, made by code, each with the codes that may answer it.

OPENS among the codes says that a right picture is an answer too; alone, that it is the only one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

OPENS = "opens"


@dataclass(frozen=True)
class HostileFile:
    """One file: its name says what is wrong with it.

    codes: refusal codes that are right, and OPENS where a picture is
    """

    name: str
    data: bytes
    codes: frozenset[str]

    def __repr__(self) -> str:
        return self.name


def hostile_files() -> Iterator[HostileFile]:
    """Make every hostile file, one after the other."""
    from tests.ml.imaging import hostile_dicom, hostile_other, hostile_raster

    for module in (hostile_other, hostile_raster, hostile_dicom):
        for name, (make, codes) in module.FILES.items():
            yield HostileFile(name, make(), frozenset(codes))
