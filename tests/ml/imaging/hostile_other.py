"""Files that are no films at all, whatever their names say."""

from __future__ import annotations

import gzip
import io
import pickle
import random
import struct
import zipfile
from collections.abc import Callable

from tests.ml.imaging.files import dicom_bytes, drawn_film, picture_bytes

Maker = tuple[Callable[[], bytes], set[str]]


def _zip(size: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", bytes(size))
    return buffer.getvalue()


def _svg_around_png() -> bytes:
    return b"<svg xmlns='http://www.w3.org/2000/svg'><!--" + _png() + b"--><script/></svg>"


def _png() -> bytes:
    return picture_bytes(drawn_film(), "PNG")


def _random(size: int) -> bytes:
    return b"\x07" + random.Random(7).randbytes(size)


FILES: dict[str, Maker] = {
    "nothing": (lambda: b"", {"empty"}),
    "only_zeros": (lambda: bytes(1 << 20), {"empty"}),
    "one_byte": (lambda: b"x", {"format_not_supported"}),
    "too_large": (lambda: _png() + bytes(64 << 20), {"too_large"}),
    "text": (lambda: b"chest film, please read\n" * 50, {"format_not_supported"}),
    "csv": (lambda: b"film,label\n1,Effusion\n", {"format_not_supported"}),
    "json": (lambda: b'{"film": [1, 2, 3]}', {"format_not_supported"}),
    "html": (lambda: b"<!DOCTYPE html><script>alert(1)</script>", {"format_not_supported"}),
    "html_then_png": (lambda: b"<html>" + _png(), {"format_not_supported"}),
    "svg": (lambda: b"<svg onload='alert(1)'></svg>", {"format_not_supported"}),
    "svg_around_png": (_svg_around_png, {"format_not_supported"}),
    "xml_entities": (
        lambda: b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        {"format_not_supported"},
    ),
    "pdf": (lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", {"format_not_supported"}),
    "postscript": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n", {"format_not_supported"}),
    "zip": (lambda: _zip(100), {"format_not_supported"}),
    "zip_bomb": (lambda: _zip(20 << 20), {"format_not_supported"}),
    "gzipped_dicom": (lambda: gzip.compress(dicom_bytes()), {"format_not_supported"}),
    "gzip_bomb": (lambda: gzip.compress(bytes(20 << 20)), {"format_not_supported"}),
    "gif": (lambda: picture_bytes(drawn_film(), "GIF"), {"format_not_supported"}),
    "bmp": (lambda: picture_bytes(drawn_film(), "BMP"), {"format_not_supported"}),
    "ppm": (lambda: picture_bytes(drawn_film(), "PPM"), {"format_not_supported"}),
    "tga": (lambda: picture_bytes(drawn_film(), "TGA"), {"format_not_supported"}),
    "ico": (lambda: picture_bytes(drawn_film(), "ICO"), {"format_not_supported"}),
    "jpeg_2000_file": (lambda: picture_bytes(drawn_film(), "JPEG2000"), {"format_not_supported"}),
    "heic": (lambda: b"\x00\x00\x00\x18ftypheic" + bytes(64), {"format_not_supported"}),
    "photoshop": (lambda: b"8BPS\x00\x01" + bytes(64), {"format_not_supported"}),
    "numpy": (lambda: b"\x93NUMPY\x01\x00v\x00{'descr'", {"format_not_supported"}),
    "pickle": (lambda: pickle.dumps({"film": [1, 2]}), {"format_not_supported"}),
    "elf_program": (lambda: b"\x7fELF\x02\x01\x01" + bytes(200), {"format_not_supported"}),
    "windows_program": (lambda: b"MZ\x90\x00" + bytes(300), {"format_not_supported"}),
    "shell_script": (lambda: b"#!/bin/sh\nrm -rf /\n", {"format_not_supported"}),
    "random_bytes": (lambda: _random(5000), {"format_not_supported"}),
    "avi": (
        lambda: b"RIFF" + struct.pack("<I", 100) + b"AVI " + bytes(100),
        {"format_not_supported"},
    ),
}
