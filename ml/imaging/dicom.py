"""DICOM to films; called inside the helper process only."""

from __future__ import annotations

import io
import zlib
from typing import Any, BinaryIO, cast

import cv2
import numpy as np
import numpy.typing as npt
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import _read_file_meta_info, read_dataset, read_partial, read_preamble
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import get_j2k_parameters, pixel_array

from ml.imaging import dicom_header
from ml.imaging.dicom_greys import to_film
from ml.imaging.greys import Film
from ml.imaging.orient import turn_upright, upright_size
from ml.imaging.radiograph import Header, Limits, Radiograph
from ml.imaging.raster import check_inflation, check_size, jpeg_size
from ml.refusal import Refusal

# PS3.3 C.7.6.3.1.2; whatever is missing here has no meaning for a radiograph
_GREY = frozenset(("MONOCHROME1", "MONOCHROME2"))
_COLOUR = frozenset(("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT"))
_PIXEL_DATA_TAG = b"\xe0\x7f\x10\x00"
# enough for every table and window of the description to be used once
PROBED_ROWS = 64
_END_OF_IMAGE, _END_WITHIN_BYTES = b"\xff\xd9", 1024
_TRANSFER_SYNTAXES = frozenset(
    (
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.JPEGBaseline8Bit,
        uid.JPEGExtended12Bit,
        uid.JPEGLossless,
        uid.JPEGLosslessSV1,
        uid.JPEGLSLossless,
        uid.JPEGLSNearLossless,
        uid.JPEG2000Lossless,
        uid.JPEG2000,
        uid.RLELossless,
    )
)
_NATIVE = frozenset(
    (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian)
)


def open_dicom(data: bytes, *, limits: Limits) -> Radiograph:
    """Open a DICOM file, or a data set without preamble.

    raises: Refusal; any other exception where pydicom or a decoder trips over the bytes
    """
    dataset, width, height = _describe(data, limits=limits)
    film, corrections = _develop(dataset, width=width, height=height)
    film, turned = turn_upright(film, dicom_header.read_directions(dataset))
    header = _read_header(dataset, width=film.shape[1], height=film.shape[0])
    return Radiograph(film, header, (*corrections, *turned))


def check_dicom(data: bytes, *, limits: Limits) -> Header:
    """Say what the file tells of its film, having proved that `open_dicom` opens it.

    Uncompressed grey pixels are all alike: their length is checked, and the first rows go the
    whole way. All others are decoded to their end.

    raises: as open_dicom
    """
    dataset, width, height = _describe(data, limits=limits)
    rows = min(height, PROBED_ROWS) if _is_plain(dataset) else height
    if rows < height:
        dataset.Rows = rows
        pixels = dataset["PixelData"]
        pixels.value = pixels.value[: rows * width * int(dataset.BitsAllocated) // 8]
    _develop(dataset, width=width, height=rows)
    width, height = upright_size(width, height, dicom_header.read_directions(dataset))
    return _read_header(dataset, width=width, height=height)


def _describe(data: bytes, *, limits: Limits) -> tuple[Dataset, int, int]:
    """Read the data set, all checks but the decoding made; with width and height as stored."""
    dataset = _parse(data, limits=limits)
    _check_nesting(dataset, limits=limits)
    width, height = _check_pixels(dataset, data=data, limits=limits)
    return dataset, width, height


def _is_plain(dataset: Dataset) -> bool:
    """Tell whether a pixel is one whole number of 8 or 16 bits, uncompressed."""
    return (
        dataset.file_meta.TransferSyntaxUID in _NATIVE
        and str(dataset.PhotometricInterpretation) in _GREY
        and int(dataset.BitsAllocated) in (8, 16)
    )


def _develop(dataset: Dataset, *, width: int, height: int) -> tuple[Film, list[str]]:
    """Decode the pixels and map them to grey in 0..1, as they lie in the file."""
    stored = _decode_pixels(dataset)
    if stored.shape != (height, width):
        raise Refusal("unreadable", element="PixelData")
    return to_film(dataset, stored)


def _read_header(dataset: Dataset, *, width: int, height: int) -> Header:
    allocated = int(dataset.BitsAllocated)
    bits = dicom_header.read_count(dataset, "BitsStored", default=allocated)
    return dicom_header.read_header(dataset, width=width, height=height, frames=1, bits=bits)


def _parse(data: bytes, *, limits: Limits) -> Dataset:
    start = 0 if data[128:132] == b"DICM" or not data.startswith(b"DICM") else 4
    source = cast(BinaryIO, DicomBytesIO(data[start:] if start else data))
    read_preamble(source, force=True)
    meta = _read_file_meta_info(source)
    syntax = meta.get("TransferSyntaxUID")
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        body = io.BytesIO(_inflate(data[start + source.tell() :], limits=limits))
        dataset = Dataset(read_dataset(body, False, True, stop_when=_ElementCounter(limits)))
        meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
        dataset.file_meta = meta
        dataset.set_original_encoding(False, True)
        return dataset
    source.seek(0)
    dataset = read_partial(source, stop_when=_ElementCounter(limits), force=True)
    if syntax is None:
        little = dataset.original_encoding[1]
        implicit = dataset.original_encoding[0]
        explicit = uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if implicit else explicit
    elif syntax not in _TRANSFER_SYNTAXES:
        raise Refusal("format_not_supported", format="dicom", element="TransferSyntaxUID")
    return dataset


class _ElementCounter:
    """Stops the reading of a data set that has too many elements."""

    def __init__(self, limits: Limits) -> None:
        self._limit = limits.elements
        self._seen = 0

    def __call__(self, tag: Any, value_representation: str | None, length: int) -> bool:
        self._seen += 1
        if self._seen > self._limit:
            raise Refusal("decode_limit", limit="elements")
        return False


def _inflate(packed: bytes, *, limits: Limits) -> bytes:
    """Unpack a deflated data set (PS3.5 A.5) without ever holding more than the limit."""
    most = max(limits.inflate_floor_bytes, len(packed) * limits.inflate_ratio)
    most = min(most, limits.inflated_bytes)
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        unpacked = unpacker.decompress(packed, most + 1)
    except zlib.error as fault:
        raise Refusal("unreadable") from fault
    if len(unpacked) > most:
        raise Refusal("inflates_too_far", packed=len(packed), limit=most)
    if not unpacker.eof:
        raise Refusal("truncated")
    return unpacked


def _check_nesting(dataset: Dataset, *, limits: Limits) -> None:
    """Refuse sequences within sequences beyond the limit, also those not converted yet."""
    waiting = [(dataset, 0)]
    seen = 0
    while waiting:
        current, depth = waiting.pop()
        if depth > limits.nesting:
            raise Refusal("nested_too_deep", limit=limits.nesting)
        for tag in list(current.keys()):
            seen += 1
            if seen > limits.elements:
                raise Refusal("decode_limit", limit="elements")
            if current.get_item(tag).VR != "SQ":
                continue
            items = _items_of(current, tag)
            waiting.extend((item, depth + 1) for item in items)


def _items_of(dataset: Dataset, tag: Any) -> list[Dataset]:
    try:
        value = dataset[tag].value
    except RecursionError:
        raise
    except Exception:  # an unreadable sequence is never looked at again, and does no harm
        return []
    return [item for item in value or [] if isinstance(item, Dataset)]


def _check_pixels(dataset: Dataset, *, data: bytes, limits: Limits) -> tuple[int, int]:
    """Check that the description of the pixels is possible before a decoder believes it.

    returns: (width, height)
    """
    if "PixelData" not in dataset:
        cut = "Rows" in dataset and _PIXEL_DATA_TAG in data[-max(64, len(data) // 2) :]
        raise Refusal("truncated" if cut else "no_pixels")
    height = dicom_header.read_count(dataset, "Rows")
    width = dicom_header.read_count(dataset, "Columns")
    check_size(width, height, limits=limits)
    frames = dicom_header.read_count(dataset, "NumberOfFrames", default=1)
    if frames > limits.frames:
        raise Refusal("too_many_frames", limit=limits.frames)
    dataset.NumberOfFrames = 1
    samples = dicom_header.read_count(dataset, "SamplesPerPixel", default=1)
    allocated = dicom_header.read_count(dataset, "BitsAllocated")
    stored = dicom_header.read_count(dataset, "BitsStored", default=allocated)
    if samples not in (1, 3) or allocated not in (1, 8, 16, 32) or not 1 <= stored <= allocated:
        raise Refusal("unreadable", element="BitsAllocated")
    _check_photometric(dataset, samples=samples)
    payload = dataset.get_item("PixelData").value
    if not payload:
        raise Refusal("no_pixels")
    expected = (width * height * samples * allocated + 7) // 8
    if dataset.file_meta.TransferSyntaxUID in _NATIVE:
        _check_native_length(dataset, have=len(payload), expected=expected)
    else:
        _check_codestream(dataset, width=width, height=height, limits=limits)
        check_inflation(expected, packed=len(payload), limits=limits)
    return width, height


def _check_photometric(dataset: Dataset, *, samples: int) -> None:
    photometric = str(dataset.get("PhotometricInterpretation") or "").strip().upper()
    if not photometric and samples == 1:
        photometric = "MONOCHROME2"
    known = (_GREY | {"PALETTE COLOR"}) if samples == 1 else _COLOUR
    if photometric not in known:
        raise Refusal("format_not_supported", format="dicom", element="PhotometricInterpretation")
    dataset.PhotometricInterpretation = photometric


def _check_native_length(dataset: Dataset, *, have: int, expected: int) -> None:
    if str(dataset.PhotometricInterpretation) == "YBR_FULL_422":
        expected = expected * 2 // 3
    if have < expected:
        raise Refusal("truncated", expected=expected, have=have)


def _check_codestream(dataset: Dataset, *, width: int, height: int, limits: Limits) -> None:
    """Refuse a compressed frame that is larger than the data set says it is."""
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1), b"")
    if not frame:
        raise Refusal("no_pixels")
    size = jpeg_size(frame) if frame.startswith(b"\xff\xd8") else _jpeg2000_size(frame)
    if size is None:
        return
    check_size(*size, limits=limits)
    if size != (width, height):
        raise Refusal("unreadable", element="Rows")
    # decoders fill what is missing with grey; both families end with the same marker
    if _END_OF_IMAGE not in frame[-_END_WITHIN_BYTES:]:
        raise Refusal("truncated")


def _jpeg2000_size(frame: bytes) -> tuple[int, int] | None:
    """Read (width, height) from a bare JPEG 2000 codestream (ISO 15444-1 A.5.1)."""
    if not frame.startswith(b"\xff\x4f\xff\x51") or not get_j2k_parameters(frame):
        return None
    right, bottom, left, top = (int.from_bytes(frame[at : at + 4], "big") for at in range(8, 24, 4))
    return right - left, bottom - top


def _decode_pixels(dataset: Dataset) -> npt.NDArray[np.generic]:
    """Decode the first frame.

    returns: [H, W], integers as stored; colours as their luminance
    """
    _fit_pixel_description(dataset)
    if dataset.file_meta.TransferSyntaxUID == uid.JPEGExtended12Bit:
        dataset.PixelData = _mend_sequential_scan(dataset.PixelData)
    stored = pixel_array(dataset, index=0)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        stored = apply_color_lut(stored, dataset)
    if stored.ndim == 3:
        stored = np.asarray(cv2.cvtColor(stored, cv2.COLOR_RGB2GRAY))
        dataset.BitsStored = stored.itemsize * 8
        dataset.PixelRepresentation = 0
        dataset.PhotometricInterpretation = "MONOCHROME2"
    return np.asarray(stored)


def _mend_sequential_scan(payload: bytes) -> bytes:
    """Write the only scan limits that a sequential JPEG may have (ISO 10918-1 table B.3).

    Some writers of 12-bit JPEG leave them zero, at which strict decoders stop.
    """
    start = payload.find(b"\xff\xda")
    length = int.from_bytes(payload[start + 2 : start + 4], "big")
    end = start + 2 + length
    if start < 0 or length < 6 or end > len(payload) or payload[end - 3 : end] != b"\x00\x00\x00":
        return payload
    return payload[: end - 3] + b"\x00\x3f\x00" + payload[end:]


def _fit_pixel_description(dataset: Dataset) -> None:
    """Fill in what a lenient reader may assume (PS3.3 C.7.6.3)."""
    allocated = int(dataset.BitsAllocated)
    defaults = {
        "SamplesPerPixel": 1,
        "BitsStored": allocated,
        "PixelRepresentation": 0,
        "PlanarConfiguration": 0,
    }
    for keyword, value in defaults.items():
        if dataset.get(keyword) in (None, ""):
            setattr(dataset, keyword, value)
    if dataset.get("HighBit") in (None, ""):
        dataset.HighBit = int(dataset.BitsStored) - 1
