"""PNG, JPEG, WebP and TIFF files that break, lie or swell."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from tests.ml.imaging.files import (
    deflated_zeros,
    drawn_film,
    picture_bytes,
    png_bytes,
    with_png_chunk,
)

Maker = tuple[Callable[[], bytes], set[str]]
OPENS = "opens"


def _png() -> bytes:
    return picture_bytes(drawn_film(), "PNG")


def _jpeg() -> bytes:
    return picture_bytes(drawn_film(), "JPEG", quality=90)


def _webp() -> bytes:
    return picture_bytes(drawn_film(), "WEBP", lossless=True)


def _tiff(**options: object) -> bytes:
    return picture_bytes(drawn_film(), "TIFF", **options)


def _frames(format: str) -> bytes:
    films = [Image.fromarray(drawn_film()), Image.fromarray(255 - drawn_film())]
    return picture_bytes(films[0], format, save_all=True, append_images=films[1:])


def _png_of_size(width: int, height: int, *, bits: int = 8, colour: int = 0) -> bytes:
    return png_bytes(width, height, bits=bits, colour=colour, packed=zlib.compress(bytes(99)))


def _png_bomb() -> bytes:
    """3600 x 3600 pixels of three 16-bit channels, 78 MB from 75 kB."""
    size = 3600 * (3600 * 6 + 1)
    return png_bytes(3600, 3600, bits=16, colour=2, packed=deflated_zeros(size))


def _text_bomb(kind: bytes, head: bytes) -> bytes:
    return with_png_chunk(_png(), kind, head + deflated_zeros(8 << 20))


def _jpeg_of_size(width: int, height: int) -> bytes:
    jpeg = _jpeg()
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


def _jpeg_with_segment(marker: int, body: bytes) -> bytes:
    jpeg = _jpeg()
    return jpeg[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + jpeg[2:]


def _exif_pointing_at_itself() -> bytes:
    ifd = struct.pack("<H", 1) + struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<I", 8)
    return _jpeg_with_segment(0xE1, b"Exif\x00\x00II*\x00" + struct.pack("<I", 8) + ifd)


def _jpeg_with_scrambled_scan() -> bytes:
    jpeg = bytearray(_jpeg())
    start = jpeg.index(b"\xff\xda") + 20
    jpeg[start : start + 200] = bytes((7 * i) % 255 for i in range(200))
    return bytes(jpeg)


def _tiff_head(*entries: tuple[int, int, int, int], next_ifd: int = 0) -> bytes:
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = b"II*\x00" + struct.pack("<I", 8) + struct.pack("<H", len(entries))
    return head + body + struct.pack("<I", next_ifd)


def _tiff_of_size(width: int, height: int, *, compression: int, strip: bytes) -> bytes:
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, compression),
        (262, 3, 1, 1),
        (273, 4, 1, 8 + 2 + 9 * 12 + 4),
        (277, 3, 1, 1),
        (278, 4, 1, height),
        (279, 4, 1, len(strip)),
    ]
    return _tiff_head(*entries) + strip


def _looping_tiff() -> bytes:
    tiff = _tiff()
    ifd = struct.unpack("<I", tiff[4:8])[0]
    count = struct.unpack("<H", tiff[ifd : ifd + 2])[0]
    at = ifd + 2 + 12 * count
    return tiff[:at] + struct.pack("<I", ifd) + tiff[at + 4 :]


def _nan_tiff() -> bytes:
    return picture_bytes(np.full((40, 40), np.nan, np.float32), "TIFF")


def _webp_of_size(width: int, height: int) -> bytes:
    """A lossless WebP that says it is large and ends after its header."""
    bits = (width - 1) | (height - 1) << 14
    chunk = b"VP8L" + struct.pack("<I", 5) + b"\x2f" + struct.pack("<I", bits) + b"\x00"
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


_SOUND_ENOUGH = {OPENS, "unreadable", "truncated"}

FILES: dict[str, Maker] = {
    "png_signature_only": (lambda: _png()[:8], {"unreadable", "truncated"}),
    "png_header_only": (lambda: _png()[:33], {"unreadable", "truncated"}),
    "png_cut_in_half": (lambda: _png()[: len(_png()) // 2], {"truncated"}),
    "png_header_crc_broken": (
        lambda: _png()[:30] + bytes((_png()[30] ^ 1,)) + _png()[31:],
        {"unreadable"},
    ),
    "png_data_broken": (
        lambda: _png()[:80] + bytes(40) + _png()[120:],
        {"unreadable", "truncated"},
    ),
    "png_without_size": (lambda: _png_of_size(0, 0), {"no_pixels", "unreadable"}),
    "png_of_100000_squared": (lambda: _png_of_size(100_000, 100_000), {"too_many_pixels"}),
    "png_of_odd_depth": (lambda: _png_of_size(9, 9, bits=5), {"unreadable"}),
    "png_too_little_data": (lambda: _png_of_size(500, 500), {"truncated", "unreadable"}),
    "png_bomb": (_png_bomb, {"inflates_too_far"}),
    "png_text_bomb": (lambda: _text_bomb(b"zTXt", b"a\x00\x00"), {"inflates_too_far"}),
    "png_international_text_bomb": (
        lambda: _text_bomb(b"iTXt", b"a\x00\x01\x00\x00\x00"),
        {"inflates_too_far"},
    ),
    "png_colour_profile_bomb": (lambda: _text_bomb(b"iCCP", b"a\x00\x00"), {"inflates_too_far"}),
    "png_animated": (lambda: _frames("PNG"), {"too_many_frames"}),
    "png_then_html": (lambda: _png() + b"<script>alert(1)</script>", {OPENS}),
    "png_then_zip": (lambda: _png() + b"PK\x05\x06" + bytes(18), {OPENS}),
    "png_of_one_pixel": (lambda: picture_bytes(drawn_film()[:1, :1], "PNG"), {OPENS}),
    "jpeg_mark_only": (lambda: b"\xff\xd8\xff", {"unreadable", "truncated"}),
    "jpeg_cut_in_half": (lambda: _jpeg()[: len(_jpeg()) // 2], {"truncated"}),
    "jpeg_of_65500_squared": (lambda: _jpeg_of_size(65500, 65500), {"too_many_pixels"}),
    "jpeg_larger_than_its_data": (lambda: _jpeg_of_size(3000, 3000), _SOUND_ENOUGH),
    "jpeg_without_height": (lambda: _jpeg_of_size(80, 0), {"unreadable", "no_pixels"}),
    "jpeg_scan_scrambled": (_jpeg_with_scrambled_scan, _SOUND_ENOUGH),
    "jpeg_exif_loop": (_exif_pointing_at_itself, {OPENS}),
    "jpeg_exif_broken": (
        lambda: _jpeg_with_segment(0xE1, b"Exif\x00\x00MM" + b"\xff" * 60),
        {OPENS},
    ),
    "jpeg_profile_broken": (
        lambda: _jpeg_with_segment(0xE2, b"ICC_PROFILE\x00\x01\xff" + b"\xff" * 5000),
        {OPENS},
    ),
    "jpeg_comment_is_html": (
        lambda: _jpeg_with_segment(0xFE, b"<script>alert(1)</script>"),
        {OPENS},
    ),
    "webp_cut": (lambda: _webp()[:-50], {"truncated"}),
    "webp_mark_only": (lambda: _webp()[:12], {"truncated", "unreadable"}),
    "webp_animated": (lambda: _frames("WEBP"), {"too_many_frames"}),
    "webp_of_16383_squared": (
        lambda: _webp_of_size(16383, 16383),
        {"too_many_pixels", "unreadable", "truncated"},
    ),
    "webp_body_broken": (
        lambda: _webp()[:30] + b"\xff" * 60 + _webp()[90:],
        {"unreadable", "truncated"},
    ),
    "tiff_of_two_pages": (lambda: _frames("TIFF"), {"too_many_frames"}),
    "tiff_bomb": (
        lambda: _tiff_of_size(6000, 6000, compression=8, strip=deflated_zeros(36_000_000)),
        {"inflates_too_far"},
    ),
    "tiff_of_a_million_squared": (
        lambda: _tiff_of_size(1 << 20, 1 << 20, compression=1, strip=bytes(9)),
        {"too_many_pixels"},
    ),
    "tiff_cut": (lambda: _tiff()[:-3000], {"truncated", "unreadable"}),
    "tiff_strip_missing": (
        lambda: _tiff_of_size(300, 300, compression=1, strip=bytes(99)),
        {"truncated", "unreadable"},
    ),
    "tiff_strip_broken": (
        lambda: _tiff_of_size(300, 300, compression=8, strip=b"\xff" * 999),
        {"truncated", "unreadable"},
    ),
    "tiff_directory_outside": (lambda: b"II*\x00\xff\xff\xff\x7f", {"unreadable", "truncated"}),
    "tiff_directory_loop": (_looping_tiff, {OPENS, "unreadable", "too_many_frames"}),
    "tiff_tag_of_4_billion": (
        lambda: _tiff_head((256, 4, 0xFFFFFFFF, 8), (257, 4, 1, 9)),
        {"unreadable", "truncated", "decode_limit"},
    ),
    "tiff_without_tags": (_tiff_head, {"unreadable", "truncated"}),
    "tiff_of_no_numbers": (_nan_tiff, {OPENS}),
    "tiff_odd_compression": (
        lambda: _tiff_of_size(30, 30, compression=34712, strip=bytes(900)),
        {"unreadable", "format_not_supported"},
    ),
}
