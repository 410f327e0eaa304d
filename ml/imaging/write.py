"""Writes films as PNG and as 16-bit DICOM; used for synthetic films and by tests."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ml.imaging.render import encode_png
from ml.imaging.synthetic import Opacity, sample_film

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# 2.25: a UID made of a UUID, as anybody may make one (PS3.5 B.2)
_UID_ROOT = "2.25."
_STORED_BITS = 14
DICOM_SIZE = (3000, 2500)
PNG_SIZE = (1024, 1024)


def to_png(film: npt.NDArray[np.float32]) -> bytes:
    """Write a film as an 8-bit grey PNG.

    film: [H, W] in 0..1
    """
    return encode_png(np.rint(np.clip(film, 0, 1) * 255).astype(np.uint8))


def to_dicom(
    film: npt.NDArray[np.float32],
    *,
    name: str,
    patient_id: str = "",
    pixel_spacing_mm: float = 0.14,
) -> bytes:
    """Write a film as a DICOM file for presentation: MONOCHROME2, 14 of 16 bits, PA chest.

    film: [H, W] in 0..1
    name: what the UIDs are made from; the same name gives the same UIDs
    source: DICOM PS3.3 A.26 (Digital X-Ray Image IOD)
    """
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    dataset = _describe(name=name, patient_id=patient_id)
    dataset.Rows, dataset.Columns = film.shape
    dataset.ImagerPixelSpacing = [pixel_spacing_mm, pixel_spacing_mm]
    stored = np.rint(np.clip(film, 0, 1) * (2**_STORED_BITS - 1)).astype("<u2")
    dataset.add_new("PixelData", "OW", stored.tobytes())
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _describe(*, name: str, patient_id: str) -> Dataset:
    """Make the data set of a synthetic film, all but the pixels."""
    from pydicom.dataset import Dataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation

    dataset = Dataset()
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = _make_uid(name, "instance")
    dataset.StudyInstanceUID = _make_uid(name, "study")
    dataset.SeriesInstanceUID = _make_uid(name, "series")
    dataset.StudyDate = dataset.ContentDate = "20260101"
    dataset.StudyTime = dataset.ContentTime = "120000"
    dataset.AccessionNumber = dataset.StudyID = dataset.ReferringPhysicianName = ""
    dataset.Manufacturer = "xraydx synthetic films"
    dataset.Modality = "DX"
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.PatientName = "Synthetic^Film" if patient_id else ""
    dataset.PatientID = patient_id
    dataset.PatientBirthDate = dataset.PatientSex = ""
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.BodyPartExamined = "CHEST"
    dataset.ViewPosition = "PA"
    dataset.PatientOrientation = ["L", "F"]
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored = 16, _STORED_BITS
    dataset.HighBit, dataset.PixelRepresentation = _STORED_BITS - 1, 0
    dataset.PixelIntensityRelationship = "LOG"
    dataset.PixelIntensityRelationshipSign = -1
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.BurnedInAnnotation = "NO"
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    dataset.WindowCenter, dataset.WindowWidth = 2 ** (_STORED_BITS - 1), 2**_STORED_BITS
    return dataset


def _make_uid(name: str, part: str) -> str:
    digest = hashlib.sha256(f"{name}/{part}".encode()).digest()
    return _UID_ROOT + str(int.from_bytes(digest[:16], "big"))


def write_samples(folder: Path, *, count: int, first_seed: int) -> list[Path]:
    """Write `count` PNG films and `count` DICOM films; every second one has an opacity.

    returns: the files written
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number in range(count):
        seed = first_seed + number
        opacity = _draw_opacity(seed) if number % 2 else None
        kind = "opacity" if opacity else "plain"
        for suffix, size in ((".png", PNG_SIZE), (".dcm", DICOM_SIZE)):
            film = sample_film(seed, size, opacity=opacity)
            path = folder / f"synthetic-{seed:03d}-{kind}{suffix}"
            data = to_png(film) if suffix == ".png" else to_dicom(film, name=path.stem)
            path.write_bytes(data)
            written.append(path)
    return written


def _draw_opacity(seed: int) -> Opacity:
    """Place an opacity somewhere inside one of the lungs."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.24, 0.34) if rng.random() < 0.5 else rng.uniform(0.68, 0.77)
    return Opacity(
        x=float(x),
        y=float(rng.uniform(0.38, 0.66)),
        radius=float(rng.uniform(0.06, 0.11)),
        strength=float(rng.uniform(0.55, 0.8)),
    )
