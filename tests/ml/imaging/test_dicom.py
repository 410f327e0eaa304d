"""Sound DICOM films come out right in every encoding."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_encoder
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from ml.imaging.decode import decode, read_header
from tests.ml.imaging.files import (
    SOP_UID,
    compressed_dicom,
    deflated_dicom,
    dicom_bytes,
    drawn_film,
    make_dataset,
    picture_bytes,
)

WINDOW = {"WindowCenter": 2048, "WindowWidth": 4096}


def _close(film, expected, tolerance=0.002):
    assert film.shape == expected.shape
    return bool(np.abs(film - expected).max() <= tolerance)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_native_pixels_come_out_as_drawn(syntax):
    stored = drawn_film(top=4095)
    dataset = make_dataset(stored, **WINDOW)
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = stored.astype(">u2").tobytes()
        dataset["PixelData"].VR = "OW"
    film = decode(dicom_bytes(dataset, syntax=syntax))
    assert _close(film.pixels, stored / 4095)
    assert film.header.bits == 12


def test_a_deflated_data_set_comes_out_as_drawn():
    film = decode(deflated_dicom())
    assert film.pixels.shape == (96, 80)
    assert film.corrections == ("stretched",)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed_pixels_come_out_as_drawn(syntax):
    stored = drawn_film(top=4095)
    dataset = make_dataset(stored, **WINDOW)
    dataset.file_meta = Dataset()
    frame = get_encoder(syntax).encode(dataset, index=0)
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
    film = decode(dicom_bytes(dataset, syntax=syntax))
    assert _close(film.pixels, stored / 4095)


def test_a_jpeg_frame_comes_out_as_drawn():
    stored = drawn_film()
    frame = picture_bytes(stored, "JPEG", quality=98)
    data = compressed_dicom(
        frame, syntax=JPEGBaseline8Bit, BitsAllocated=8, BitsStored=8, HighBit=7
    )
    assert _close(decode(data).pixels, stored / 255, tolerance=0.12)


def test_monochrome1_is_inverted():
    stored = drawn_film(top=4095)
    film = decode(
        dicom_bytes(make_dataset(stored, PhotometricInterpretation="MONOCHROME1", **WINDOW))
    )
    assert _close(film.pixels, 1 - stored / 4095)
    assert film.corrections == ("inverted",)


def test_signed_pixels_with_rescale_are_windowed_in_modality_units():
    stored = (drawn_film(top=4095).astype(np.int32) - 2048).astype(np.int16)
    dataset = make_dataset(
        stored, RescaleSlope=2, RescaleIntercept=4096, WindowCenter=4096, WindowWidth=8191
    )
    assert _close(decode(dicom_bytes(dataset)).pixels, (stored + 2048) / 4095)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_every_depth_uses_its_whole_range(bits):
    stored = drawn_film(top=2**bits - 1)
    dataset = make_dataset(
        stored, BitsStored=bits, HighBit=bits - 1, WindowCenter=2 ** (bits - 1), WindowWidth=2**bits
    )
    assert _close(decode(dicom_bytes(dataset)).pixels, stored / (2**bits - 1))


def test_bits_above_the_stored_ones_are_ignored():
    stored = drawn_film(top=4095)
    dataset = make_dataset(stored | 0x8000, **WINDOW)
    assert _close(decode(dicom_bytes(dataset)).pixels, stored / 4095)


def test_one_bit_pixels_are_black_and_white():
    stored = (drawn_film() > 128).astype(np.uint8)
    dataset = make_dataset(stored, BitsAllocated=1, BitsStored=1, HighBit=0)
    dataset.PixelData = np.packbits(stored, bitorder="little").tobytes()
    assert _close(decode(dicom_bytes(dataset)).pixels, stored.astype(np.float32))


def test_colours_become_their_luminance():
    stored = np.dstack([drawn_film()] * 3)
    assert _close(decode(dicom_bytes(make_dataset(stored))).pixels, drawn_film() / 255, 0.01)


def test_a_palette_is_applied():
    entries = bytes(range(255, -1, -1))
    tables = {f"{name}PaletteColorLookupTableData": entries for name in ("Red", "Green", "Blue")}
    shapes = {
        f"{name}PaletteColorLookupTableDescriptor": [256, 0, 8] for name in ("Red", "Green", "Blue")
    }
    dataset = make_dataset(
        drawn_film(), PhotometricInterpretation="PALETTE COLOR", **tables, **shapes
    )
    assert _close(decode(dicom_bytes(dataset)).pixels, 1 - drawn_film() / 255, 0.01)


def test_a_voi_table_goes_before_a_window():
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4096, 0, 8])
    item.add_new("LUTData", "OW", (255 - np.arange(4096) // 16).astype("<u2").tobytes())
    stored = drawn_film(top=4095)
    data = dicom_bytes(make_dataset(stored, VOILUTSequence=Sequence([item]), **WINDOW))
    assert _close(decode(data).pixels, 1 - stored // 16 / 255)


def test_a_sigmoid_window_has_its_middle_at_its_centre():
    stored = np.full((40, 40), 1000, np.uint16)
    stored[:, 20:] = 3000
    dataset = make_dataset(stored, WindowCenter=1000, WindowWidth=500, VOILUTFunction="SIGMOID")
    film = decode(dicom_bytes(dataset)).pixels
    assert film[0, 0] == pytest.approx(0.5)
    assert film[0, 30] > 0.99


def test_a_window_that_hides_the_film_is_left_out():
    film = decode(dicom_bytes(make_dataset(WindowCenter=60000, WindowWidth=10)))
    assert "window_ignored" in film.corrections
    assert film.pixels.std() > 0.1


def test_padding_is_black_and_does_not_count():
    stored = drawn_film(top=1000)
    stored[:, :20] = 4095
    film = decode(dicom_bytes(make_dataset(stored, PixelPaddingValue=4095))).pixels
    assert film[:, :20].max() == 0
    assert film[:, 20:].max() == 1


@pytest.mark.parametrize(
    ("directions", "turn"),
    [
        ("LF", lambda film: film),
        ("RF", np.fliplr),
        ("LH", np.flipud),
        ("RH", lambda film: np.rot90(film, 2)),
        ("FL", np.transpose),
        ("HR", lambda film: np.rot90(film.T, 2)),
        ("FR", lambda film: np.rot90(film, -1)),
        ("HL", lambda film: np.rot90(film, 1)),
    ],
)
def test_a_film_is_turned_upright_by_its_orientation(directions, turn):
    stored = drawn_film(top=4095)
    dataset = make_dataset(stored, PatientOrientation=list(directions), **WINDOW)
    film = decode(dicom_bytes(dataset))
    assert _close(film.pixels, turn(stored / 4095))
    assert (film.header.height, film.header.width) == film.pixels.shape


@pytest.mark.parametrize("unclear", [["A", "F"], ["L"], ["LP", "F"], ["L", "R"], ["", ""]])
def test_an_unclear_orientation_is_left_alone(unclear):
    stored = drawn_film(top=4095)
    film = decode(dicom_bytes(make_dataset(stored, PatientOrientation=unclear, **WINDOW)))
    assert _close(film.pixels, stored / 4095)


def test_the_header_says_what_the_file_says():
    dataset = make_dataset(ImagerPixelSpacing=[0.14, 0.14])
    header = read_header(dicom_bytes(dataset))
    assert (header.format, header.width, header.height, header.frames) == ("dicom", 80, 96, 1)
    assert (header.view, header.modality, header.body_part) == ("PA", "DX", "CHEST")
    assert (header.sop_uid, header.study_uid) == (SOP_UID, SOP_UID + ".1")
    assert (header.patient_id, header.sex, header.age_years) == ("PH-1", "F", 45)
    assert header.pixel_spacing_mm == (0.14, 0.14)


@pytest.mark.parametrize(("age", "years"), [("006M", 0.5), ("003W", 21 / 365.25), ("45", None)])
def test_ages_are_read_in_their_units(age, years):
    dataset = make_dataset()
    dataset["PatientAge"]._value = age
    found = read_header(dicom_bytes(dataset)).age_years
    assert found == (None if years is None else pytest.approx(years))


def test_pixels_larger_than_a_display_keep_their_place():
    stored = cv2.resize(drawn_film(top=4095), (1600, 1920), interpolation=cv2.INTER_NEAREST)
    assert _close(decode(dicom_bytes(make_dataset(stored, **WINDOW))).pixels, stored / 4095)
