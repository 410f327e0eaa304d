"""Sound films made by code, in every format; broken ones are made from them."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DigitalXRayImageStorageForPresentation,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from ml.imaging.phantom import draw_phantom

SOP_UID = "1.2.826.0.1.3680043.8.498.1"


def drawn_film(height: int = 96, width: int = 80, *, top: int = 255) -> np.ndarray:
    """[height, width] integers in 0..top, lungs dark, not symmetric in any direction."""
    side = max(height, width)
    film = draw_phantom(5, side, lesions=1).film[:height, :width].copy()
    film[2 : height // 8, 2 : width // 4] = 1.0  # a marker in the upper left corner
    return np.rint(film * top).astype(np.uint8 if top < 256 else np.uint16)


def picture_bytes(pixels: np.ndarray | Image.Image, format: str, **options: Any) -> bytes:
    """A picture as Pillow writes it."""
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    crc = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)


def png_bytes(width: int, height: int, *, bits: int, colour: int, packed: bytes) -> bytes:
    """A PNG from its parts; nothing is checked."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = (png_chunk(b"IHDR", header), png_chunk(b"IDAT", packed), png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def with_png_chunk(png: bytes, kind: bytes, body: bytes) -> bytes:
    """The PNG with one more chunk after its header."""
    return png[:33] + png_chunk(kind, body) + png[33:]


def deflated_zeros(count: int) -> bytes:
    """`count` zero bytes in zlib's best compression, without holding them."""
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    parts = [packer.compress(block) for _ in range(count >> 20)]
    parts.append(packer.compress(bytes(count & 0xFFFFF)))
    return b"".join(parts) + packer.flush()


def make_dataset(pixels: np.ndarray | None = None, **values: Any) -> Dataset:
    """A chest film's data set; `values` replace or add elements, None removes one."""
    if pixels is None:
        pixels = drawn_film(top=4095)
    dataset = Dataset()
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = SOP_UID
    dataset.StudyInstanceUID = SOP_UID + ".1"
    dataset.SeriesInstanceUID = SOP_UID + ".2"
    dataset.PatientName = "Phantom^Drawn"
    dataset.PatientID = "PH-1"
    dataset.PatientSex = "F"
    dataset.PatientAge = "045Y"
    dataset.Modality = "DX"
    dataset.ViewPosition = "PA"
    dataset.BodyPartExamined = "CHEST"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    dataset.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    dataset.BitsAllocated = pixels.itemsize * 8
    dataset.BitsStored = 12 if pixels.itemsize == 2 else pixels.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.PixelData = pixels.tobytes()
    for keyword, value in values.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def dicom_bytes(
    dataset: Dataset | None = None,
    *,
    syntax: str = ExplicitVRLittleEndian,
    preamble: bytes = bytes(128),
    written_as: str | None = None,
) -> bytes:
    """A DICOM file; `syntax` is what its header says, `written_as` how it is really written."""
    dataset = make_dataset() if dataset is None else dataset
    really = written_as or syntax
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.file_meta.MediaStorageSOPInstanceUID = SOP_UID
    dataset.file_meta.FileMetaInformationGroupLength = 0  # counted when written
    dataset.preamble = preamble
    buffer = io.BytesIO()
    dataset.save_as(
        buffer,
        implicit_vr=really == ImplicitVRLittleEndian,
        little_endian=really != ExplicitVRBigEndian,
        force_encoding=True,
    )
    return buffer.getvalue()


def compressed_dicom(frame: bytes, *, syntax: str, **values: Any) -> bytes:
    """A DICOM file whose one frame is `frame` as it stands."""
    dataset = make_dataset(**values)
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return dicom_bytes(dataset, syntax=syntax)


def deflated_dicom(body: bytes | None = None) -> bytes:
    """A DICOM file in the deflated transfer syntax; `body` replaces the deflated data set."""
    plain = dicom_bytes(syntax=ExplicitVRLittleEndian)
    meta_end = 144 + struct.unpack("<I", plain[140:144])[0]
    if body is None:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        body = packer.compress(plain[meta_end:]) + packer.flush()
    name, length = b"1.2.840.10008.1.2.1", struct.pack("<H", 20)
    old = b"\x02\x00\x10\x00UI" + length + name + b"\x00"
    new = b"\x02\x00\x10\x00UI" + struct.pack("<H", 22) + name + b".99"
    meta = plain[:meta_end].replace(old, new)
    grown = struct.pack("<I", meta_end - 144 + 2)
    return meta[:140] + grown + meta[144:] + body


def explicit_element(group: int, element: int, representation: bytes, body: bytes) -> bytes:
    """One data element in explicit little endian."""
    head = struct.pack("<HH2s", group, element, representation)
    if representation in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC"):
        return head + struct.pack("<HI", 0, len(body)) + body
    return head + struct.pack("<H", len(body)) + body


def with_elements(dicom: bytes, elements: bytes) -> bytes:
    """The DICOM file (explicit little endian) with raw elements at the start of its data set."""
    meta_end = 144 + struct.unpack("<I", dicom[140:144])[0]
    return dicom[:meta_end] + elements + dicom[meta_end:]
