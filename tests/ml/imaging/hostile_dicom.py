"""DICOM files that break, lie or swell."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    MPEG2MPML,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tests.ml.imaging.files import (
    SOP_UID,
    compressed_dicom,
    deflated_dicom,
    deflated_zeros,
    dicom_bytes,
    drawn_film,
    explicit_element,
    make_dataset,
    picture_bytes,
    with_elements,
)

Maker = tuple[Callable[[], bytes], set[str]]
OPENS = "opens"
_PIXEL_TAG = b"\xe0\x7f\x10\x00"
_ITEM, _ITEM_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0" + bytes(4)
_SEQUENCE_END = b"\xfe\xff\xdd\xe0" + bytes(4)


def _with(**values: object) -> Callable[[], bytes]:
    """A film whose data set has other values."""
    return lambda: dicom_bytes(make_dataset(**values))


def _with_raw(group: int, element: int, representation: bytes, body: bytes) -> bytes:
    """A film with one element that pydicom would not write."""
    return with_elements(dicom_bytes(), explicit_element(group, element, representation, body))


def _replaced(keyword: str, group: int, element: int, representation: bytes, body: bytes) -> bytes:
    """A film with one of its elements written anew."""
    whole, without = dicom_bytes(), dicom_bytes(make_dataset(**{keyword: None}))
    tag = struct.pack("<HH", group, element)
    at = whole.index(tag, 144 + struct.unpack("<I", whole[140:144])[0])
    return without[:at] + explicit_element(group, element, representation, body) + without[at:]


def _nested_undefined(levels: int) -> bytes:
    opening = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + _ITEM + b"\xff" * 4
    return with_elements(dicom_bytes(), opening * levels + (_ITEM_END + _SEQUENCE_END) * levels)


def _nested_defined(levels: int) -> bytes:
    body = b""
    for _ in range(levels):
        item = _ITEM + struct.pack("<I", len(body)) + body
        body = explicit_element(0x0008, 0x1140, b"SQ", item)
    return with_elements(dicom_bytes(), body)


def _many_elements(count: int) -> bytes:
    elements = (
        explicit_element(0x0009 + 2 * (i >> 15), 0x1000 + (i & 0x7FFF), b"LO", b"ab")
        for i in range(count)
    )
    return with_elements(dicom_bytes(), b"".join(elements))


def _cut_in_pixels() -> bytes:
    whole = dicom_bytes()
    return whole[:-2000]


def _cut_in_header() -> bytes:
    whole = dicom_bytes()
    return whole[: whole.index(b"PH-1")]


def _deflate_bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = bytes(1 << 20)
    return deflated_dicom(b"".join(packer.compress(block) for _ in range(60)) + packer.flush())


def _pixels_of_undefined_length() -> bytes:
    whole = dicom_bytes()
    at = whole.index(_PIXEL_TAG, 300)
    return whole[:at] + _PIXEL_TAG + b"OW\x00\x00\xff\xff\xff\xff" + whole[at + 12 :]


def _pixels_longer_than_file() -> bytes:
    whole = dicom_bytes()
    at = whole.index(_PIXEL_TAG, 300)
    return whole[: at + 8] + b"\xf0\xff\xff\x7f" + whole[at + 12 :]


def _palette(**values: object) -> bytes:
    entries = bytes(range(256))
    channels = ("Red", "Green", "Blue")
    tables: dict[str, object] = {f"{name}PaletteColorLookupTableData": entries for name in channels}
    shapes = {f"{name}PaletteColorLookupTableDescriptor": [256, 0, 8] for name in channels}
    dataset = make_dataset(
        drawn_film(), PhotometricInterpretation="PALETTE COLOR", **{**tables, **shapes, **values}
    )
    return dicom_bytes(dataset)


def _codestream_of_60000_squared() -> bytes:
    size = (
        struct.pack(">HIIIIIIIIH", 0, 60000, 60000, 0, 0, 60000, 60000, 0, 0, 1) + b"\x0f\x01\x01"
    )
    stream = b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size + bytes(500)
    return compressed_dicom(stream, syntax=JPEG2000Lossless)


def _voi_table(**values: object) -> bytes:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4096, 0, 12])
    item.add_new("LUTData", "OW", b"\x01\x02")
    return dicom_bytes(make_dataset(VOILUTSequence=Sequence([item]), **values))


def _document(sop_class: str) -> bytes:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, SOP_UID
    dataset.Modality, dataset.PatientID = "DOC", "PH-1"
    dataset.EncapsulatedDocument = b"%PDF-1.7 "
    return dicom_bytes(dataset)


def _jpeg_frame(height: int, width: int) -> bytes:
    return picture_bytes(drawn_film(height, width), "JPEG")


_8_BIT = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}

FILES: dict[str, Maker] = {
    "dicom_mark_only": (lambda: bytes(128) + b"DICM", {"no_pixels", "unreadable"}),
    "dicom_meta_only": (lambda: dicom_bytes()[:300], {"no_pixels", "truncated", "unreadable"}),
    "dicom_without_pixels": (_with(PixelData=None), {"no_pixels"}),
    "dicom_empty_pixels": (_with(PixelData=b""), {"no_pixels"}),
    "dicom_cut_in_pixels": (_cut_in_pixels, {"truncated"}),
    "dicom_cut_in_header": (_cut_in_header, {"truncated", "no_pixels", "unreadable"}),
    "dicom_nested_300": (lambda: _nested_undefined(300), {"nested_too_deep"}),
    "dicom_nested_20000": (lambda: _nested_undefined(20_000), {"nested_too_deep"}),
    "dicom_nested_defined_300": (lambda: _nested_defined(300), {"nested_too_deep"}),
    "dicom_nested_3": (lambda: _nested_undefined(3), {OPENS}),
    "dicom_sequence_without_end": (
        lambda: _with_raw(0x0008, 0x1140, b"SQ", b"")[:-4] + b"\xff" * 4,
        {OPENS, "unreadable", "truncated"},
    ),
    "dicom_200000_elements": (lambda: _many_elements(200_000), {"decode_limit"}),
    "dicom_element_beyond_end": (
        lambda: with_elements(dicom_bytes(), b"\x09\x00\x10\x10OB\x00\x00\xf0\xff\xff\x7f"),
        {"truncated", "no_pixels", "unreadable"},
    ),
    "dicom_rows_as_ul": (
        lambda: _replaced("Rows", 0x0028, 0x0010, b"UL", struct.pack("<I", 96)),
        {OPENS},
    ),
    "dicom_rows_as_huge_ul": (
        lambda: _replaced("Rows", 0x0028, 0x0010, b"UL", struct.pack("<I", 1 << 31)),
        {"too_many_pixels"},
    ),
    "dicom_rows_twice": (
        lambda: _replaced("Rows", 0x0028, 0x0010, b"US", struct.pack("<HH", 96, 96)),
        {"unreadable"},
    ),
    "dicom_rows_as_text": (
        lambda: _replaced("Rows", 0x0028, 0x0010, b"LO", b"tall"),
        {"unreadable"},
    ),
    "dicom_without_rows": (_with(Rows=None), {"unreadable"}),
    "dicom_no_rows": (_with(Rows=0), {"no_pixels"}),
    "dicom_of_65535_squared": (_with(Rows=65535, Columns=65535), {"too_many_pixels"}),
    "dicom_larger_than_its_pixels": (_with(Rows=4000, Columns=4000), {"truncated"}),
    "dicom_100_frames_said": (_with(NumberOfFrames=100), {"too_many_frames"}),
    "dicom_2_billion_frames_said": (_with(NumberOfFrames=2**31 - 1), {"too_many_frames"}),
    "dicom_no_frames_said": (_with(NumberOfFrames=0), {OPENS}),
    "dicom_minus_3_frames_said": (_with(NumberOfFrames=-3), {OPENS}),
    "dicom_odd_frames_said": (
        lambda: _with_raw(0x0028, 0x0008, b"IS", b"1A"),
        {"unreadable"},
    ),
    "dicom_17_of_16_bits": (_with(BitsStored=17), {"unreadable"}),
    "dicom_bits_allocated_12": (_with(BitsAllocated=12), {"unreadable"}),
    "dicom_no_bits": (_with(BitsStored=0), {"unreadable"}),
    "dicom_4_samples": (_with(SamplesPerPixel=4), {"unreadable"}),
    "dicom_odd_photometric": (_with(PhotometricInterpretation="HSV"), {"format_not_supported"}),
    "dicom_window_of_no_width": (_with(WindowCenter=10, WindowWidth=0), {OPENS}),
    "dicom_window_far_away": (_with(WindowCenter=-90000, WindowWidth=10), {OPENS}),
    "dicom_window_no_number": (
        lambda: with_elements(
            dicom_bytes(),
            explicit_element(0x0028, 0x1050, b"DS", b"nan ")
            + explicit_element(0x0028, 0x1051, b"DS", b"inf "),
        ),
        {OPENS},
    ),
    "dicom_slope_absurd": (_with(RescaleSlope="1e300", RescaleIntercept="-1e300"), {OPENS}),
    "dicom_voi_table_short": (_voi_table, {OPENS}),
    "dicom_palette_overflow": (
        lambda: _palette(RedPaletteColorLookupTableDescriptor=[0, 0, 16]),
        {"unreadable", OPENS},
    ),
    "dicom_palette_missing": (
        lambda: dicom_bytes(make_dataset(drawn_film(), PhotometricInterpretation="PALETTE COLOR")),
        {"unreadable"},
    ),
    "dicom_palette_beyond_end": (
        lambda: _palette(RedPaletteColorLookupTableDescriptor=[4096, 60000, 8]),
        {"unreadable", OPENS},
    ),
    "dicom_preamble_windows_program": (
        lambda: dicom_bytes(preamble=b"MZ\x90\x00" + bytes(124)),
        {OPENS},
    ),
    "dicom_preamble_elf_program": (
        lambda: dicom_bytes(preamble=b"\x7fELF\x02\x01\x01" + bytes(121)),
        {OPENS},
    ),
    "dicom_preamble_tiff": (lambda: dicom_bytes(preamble=b"II*\x00" + bytes(124)), {OPENS}),
    "dicom_preamble_html": (
        lambda: dicom_bytes(preamble=b"<script>alert(1)</script>".ljust(128)),
        {OPENS},
    ),
    "dicom_uid_is_a_path": (
        lambda: _replaced("StudyInstanceUID", 0x0020, 0x000D, b"UI", b"../../../etc/passwd\x00"),
        {OPENS},
    ),
    "dicom_uid_of_300": (
        lambda: _replaced("SOPInstanceUID", 0x0008, 0x0018, b"UI", b"1." * 150),
        {OPENS},
    ),
    "dicom_patient_of_60000": (
        lambda: _replaced("PatientName", 0x0010, 0x0010, b"PN", b"A" * 60000),
        {OPENS},
    ),
    "dicom_patient_id_with_controls": (
        lambda: _replaced("PatientID", 0x0010, 0x0020, b"LO", b"A\x1b[31m\r\nB\x00\x07"),
        {OPENS},
    ),
    "dicom_charset_unknown": (
        lambda: _with_raw(0x0008, 0x0005, b"CS", b"ISO_IR 999\\klingon "),
        {OPENS},
    ),
    "dicom_odd_vr": (
        lambda: _with_raw(0x0008, 0x0070, b"ZZ", b"ab"),
        {OPENS, "unreadable", "no_pixels"},
    ),
    "dicom_video": (
        lambda: compressed_dicom(b"\x00\x00\x01\xb3" + bytes(99), syntax=MPEG2MPML),
        {"format_not_supported"},
    ),
    "dicom_syntax_unknown": (
        lambda: dicom_bytes(syntax="1.2.3.4.5", written_as="1.2.840.10008.1.2.1"),
        {"format_not_supported"},
    ),
    "dicom_pdf": (lambda: _document("1.2.840.10008.5.1.4.1.1.104.1"), {"no_pixels"}),
    "dicom_deflate_bomb": (_deflate_bomb, {"inflates_too_far"}),
    "dicom_deflate_cut": (lambda: deflated_dicom()[:-900], {"truncated"}),
    "dicom_deflate_broken": (lambda: deflated_dicom(b"\xff" * 500), {"unreadable"}),
    "dicom_deflate_of_zlib": (
        lambda: deflated_dicom(deflated_zeros(99)),
        {"unreadable", "no_pixels"},
    ),
    "dicom_undefined_native": (
        _pixels_of_undefined_length,
        {"unreadable", "truncated", "no_pixels"},
    ),
    "dicom_pixels_beyond_end": (_pixels_longer_than_file, {OPENS, "truncated"}),
    "dicom_no_fragment": (
        lambda: compressed_dicom(b"\x00\x00", syntax=JPEGBaseline8Bit, **_8_BIT),
        {"no_pixels", "unreadable"},
    ),
    "dicom_jpeg_of_other_size": (
        lambda: compressed_dicom(_jpeg_frame(40, 40), syntax=JPEGBaseline8Bit, **_8_BIT),
        {"unreadable"},
    ),
    "dicom_jpeg_cut": (
        lambda: compressed_dicom(_jpeg_frame(96, 80)[:700], syntax=JPEGBaseline8Bit, **_8_BIT),
        {"truncated", "unreadable"},
    ),
    "dicom_jpeg_is_png": (
        lambda: compressed_dicom(
            picture_bytes(drawn_film(), "PNG"), syntax=JPEGBaseline8Bit, **_8_BIT
        ),
        {"unreadable"},
    ),
    "dicom_lossless_garbage": (
        lambda: compressed_dicom(b"\xff\xd8\xff\xc3" + b"\x00\x37" * 450, syntax=JPEGLosslessSV1),
        {"unreadable", "too_many_pixels"},
    ),
    "dicom_jpeg_ls_garbage": (
        lambda: compressed_dicom(b"\xff\xd8\xff\xf7" + b"\x00\x37" * 450, syntax=JPEGLSLossless),
        {"unreadable", "too_many_pixels"},
    ),
    "dicom_jpeg_2000_garbage": (
        lambda: compressed_dicom(b"\xff\x4f\xff\x51" + b"\x37" * 900, syntax=JPEG2000Lossless),
        {"unreadable", "no_pixels"},
    ),
    "dicom_jpeg_2000_of_60000_squared": (_codestream_of_60000_squared, {"too_many_pixels"}),
    "dicom_rle_garbage": (
        lambda: compressed_dicom(b"\x02\x00\x00\x00" + b"\xff" * 900, syntax=RLELossless),
        {"unreadable"},
    ),
    "dicom_rle_short": (
        lambda: compressed_dicom(
            struct.pack("<16I", 2, 64, 70, *[0] * 13) + b"\x81\x00" * 6, syntax=RLELossless
        ),
        {"unreadable", "truncated"},
    ),
}
