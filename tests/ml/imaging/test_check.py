"""A header is read only of a film that decoding opens, and costs little where that is sure."""

from __future__ import annotations

import os
from mmap import ACCESS_READ, mmap

import cv2
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_encoder
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, RLELossless

from ml.imaging import dicom
from ml.imaging.decode import DEFAULT_LIMITS, PICTURE_PX, decode, read_header
from ml.imaging.formats import has_used_preamble
from ml.imaging.preprocess import resize_area
from ml.imaging.render import fit_size
from ml.refusal import Refusal
from tests.ml.imaging import hostile_dicom
from tests.ml.imaging.files import dicom_bytes, drawn_film, make_dataset, picture_bytes

TALL = drawn_film(dicom.PROBED_ROWS * 4, 101, top=4095)
GREY = {"WindowCenter": 2048, "WindowWidth": 4096}


def _big_endian():
    dataset = make_dataset(TALL)
    dataset.PixelData = TALL.astype(">u2").tobytes()
    dataset["PixelData"].VR = "OW"
    return dicom_bytes(dataset, syntax=ExplicitVRBigEndian)


NATIVE = {
    "16 bits": lambda: dicom_bytes(make_dataset(TALL, **GREY)),
    "8 bits, an odd width": lambda: dicom_bytes(make_dataset((TALL >> 4).astype(np.uint8))),
    "signed": lambda: dicom_bytes(make_dataset((TALL.astype(np.int32) - 2048).astype(np.int16))),
    "a negative": lambda: dicom_bytes(
        make_dataset(TALL, PhotometricInterpretation="MONOCHROME1")
    ),
    "lying on its side": lambda: dicom_bytes(make_dataset(TALL, PatientOrientation=["F", "L"])),
    "big endian": _big_endian,
    "in colours": lambda: dicom_bytes(
        make_dataset(np.repeat((TALL >> 4).astype(np.uint8)[..., None], 3, axis=2))
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", NATIVE)
def test_the_header_is_what_decoding_says(kind):
    data = NATIVE[kind]()
    assert read_header(data) == decode(data).header


@pytest.mark.parametrize("name", hostile_dicom.FILES)
def test_a_file_is_refused_by_its_header_exactly_where_decoding_refuses_it(name):
    data = hostile_dicom.FILES[name][0]()
    answers = []
    for look in (lambda: read_header(data), lambda: decode(data).header):
        try:
            answers.append(look())
        except Refusal as refusal:
            answers.append(refusal.code)
    assert answers[0] == answers[1]


def test_uncompressed_pixels_are_not_all_decoded_for_a_header(monkeypatch):
    decoded = []
    real = dicom._decode_pixels

    def note(dataset):
        decoded.append(int(dataset.Rows))
        return real(dataset)

    monkeypatch.setattr(dicom, "_decode_pixels", note)
    header = dicom.check_dicom(NATIVE["16 bits"](), limits=DEFAULT_LIMITS)
    assert (header.width, header.height) == (101, dicom.PROBED_ROWS * 4)
    assert decoded == [dicom.PROBED_ROWS]


def test_uncompressed_pixels_that_end_early_are_refused():
    dataset = make_dataset(TALL)
    dataset.PixelData = dataset.PixelData[:-2]
    with pytest.raises(Refusal) as caught:
        read_header(dicom_bytes(dataset))
    assert caught.value.code == "truncated"


def test_compressed_pixels_are_decoded_to_their_end():
    dataset = make_dataset(TALL)
    dataset.file_meta = Dataset()
    frame = get_encoder(RLELossless).encode(dataset, index=0)
    dataset.PixelData = encapsulate([frame[: len(frame) * 3 // 4]])
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
    with pytest.raises(Refusal):
        read_header(dicom_bytes(dataset, syntax=RLELossless))


def test_a_film_comes_as_small_as_it_is_wanted():
    stored = cv2.resize(drawn_film(top=4095), (1500, 1800), interpolation=cv2.INTER_LINEAR)
    data = dicom_bytes(make_dataset(stored, **GREY))
    whole, small = decode(data), decode(data, longest=PICTURE_PX)
    width, height = fit_size(1500, 1800)
    assert small.pixels.shape == (height, width) == (1024, 853)
    assert np.array_equal(small.pixels, resize_area(whole.pixels, width=width, height=height))
    assert small.header == whole.header
    assert small.header.width == 1500


def test_a_film_is_never_enlarged():
    data = picture_bytes(drawn_film(), "PNG")
    assert np.array_equal(decode(data, longest=PICTURE_PX).pixels, decode(data).pixels)


def test_a_mapped_file_opens_as_its_bytes_do(tmp_path):
    data = dicom_bytes(make_dataset(TALL), syntax=ExplicitVRLittleEndian)
    file = tmp_path / "film"
    file.write_bytes(data)
    handle = os.open(file, os.O_RDONLY)
    with mmap(handle, 0, access=ACCESS_READ) as mapped:
        assert read_header(mapped) == read_header(data)
    os.close(handle)


def test_a_preamble_counts_where_the_file_is_read_as_dicom():
    program = b"MZ" + bytes(126)
    assert has_used_preamble(dicom_bytes(preamble=program))
    assert not has_used_preamble(dicom_bytes())
    picture = picture_bytes(drawn_film(), "PNG")
    assert not has_used_preamble(picture[:128] + b"DICM" + picture[132:])
    assert not has_used_preamble(b"DICM")
