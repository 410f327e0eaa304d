"""What kind of file these bytes are, by their own marks and never by a name or a media type."""

from __future__ import annotations

from mmap import mmap

from ml.refusal import Refusal

# all marks of a format lie within
HEAD_BYTES = 4096
PREAMBLE_BYTES = 128

_RASTER_MARKS = (
    ("png", b"\x89PNG\r\n\x1a\n"),
    ("jpeg", b"\xff\xd8\xff"),
)
_TIFF_MARKS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")

# named so that the sender learns what arrived instead of a film
_KNOWN_OTHERS = (
    ("gif", b"GIF8"),
    ("bmp", b"BM"),
    ("pdf", b"%PDF"),
    ("zip", b"PK"),
    ("gzip", b"\x1f\x8b"),
    ("bzip2", b"BZh"),
    ("xz", b"\xfd7zXZ"),
    ("zstandard", b"\x28\xb5\x2f\xfd"),
    ("7z", b"7z\xbc\xaf"),
    ("jpeg 2000", b"\x00\x00\x00\x0cjP  "),
    ("jpeg 2000", b"\xff\x4f\xff\x51"),
    ("jpeg xl", b"\x00\x00\x00\x0cJXL "),
    ("photoshop", b"8BPS"),
    ("numpy", b"\x93NUMPY"),
    ("postscript", b"%!PS"),
    ("program", b"MZ"),
    ("program", b"\x7fELF"),
)
# value representations of PS3.5 table 6.2-1 that a first element of group 0002 or 0008 may have
_FIRST_VALUE_REPRESENTATIONS = frozenset(
    (b"AE", b"CS", b"DA", b"DT", b"IS", b"LO", b"OB", b"PN", b"SH", b"SQ", b"TM", b"UI", b"UL")
)


def sniff_format(contents: bytes | mmap) -> str:
    """Name the format of a film: "png", "jpeg", "webp", "tiff" or "dicom".

    raises: Refusal empty or format_not_supported
    """
    data = contents[:HEAD_BYTES]
    if not data.strip(b"\x00"):
        if not contents[HEAD_BYTES:].strip(b"\x00"):
            raise Refusal("empty")
        raise Refusal("format_not_supported", format="unknown")
    for name, mark in _RASTER_MARKS:
        if data.startswith(mark):
            return name
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    # before TIFF: a DICOM preamble may carry a TIFF header (PS3.10 section 7.1)
    if data[128:132] == b"DICM" or data.startswith(b"DICM"):
        return "dicom"
    if data.startswith(_TIFF_MARKS):
        return "tiff"
    if _starts_like_data_set(data):
        return "dicom"
    raise Refusal("format_not_supported", format=_name_other(data))


def has_used_preamble(contents: bytes | mmap) -> bool:
    """Tell whether something stands in the first PREAMBLE_BYTES of a DICOM file.

    They mean nothing to a reader of DICOM, and may make the file a program for others.
    source: DICOM PS3.10 section 7.1 and 7.5; CVE-2019-11687
    """
    head = contents[: PREAMBLE_BYTES + 4]
    if head[PREAMBLE_BYTES:] != b"DICM" or not head[:PREAMBLE_BYTES].strip(b"\x00"):
        return False
    return sniff_format(head) == "dicom"


def _starts_like_data_set(data: bytes) -> bool:
    """Tell whether a DICOM data set starts at once, without preamble and prefix."""
    if len(data) < 16:
        return False
    group, element = data[0:2], data[2:4]
    if group in (b"\x00\x02", b"\x00\x08"):  # big endian
        return data[4:6] in _FIRST_VALUE_REPRESENTATIONS
    if group not in (b"\x02\x00", b"\x08\x00"):
        return False
    if data[4:6] in _FIRST_VALUE_REPRESENTATIONS:
        return True
    length = int.from_bytes(data[4:8], "little")
    return element[1] == 0 and length < min(len(data), 1024)


def _name_other(data: bytes) -> str:
    for name, mark in _KNOWN_OTHERS:
        if data.startswith(mark):
            return name
    if data[4:8] == b"ftyp":
        return "heif or video"
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<script")):
        return "html"
    if b"<svg" in start:
        return "svg"
    if start.startswith(b"<?xml"):
        return "xml"
    if not data[:1024].translate(None, bytes(range(32, 256)) + b"\t\r\n\x0c"):
        return "text"
    return "unknown"
