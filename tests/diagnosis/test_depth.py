"""Films at full depth: what is packed comes back, upright, in private."""

import gzip
import struct

import numpy as np
import pytest

from audit.models import Entry
from diagnosis import depth
from diagnosis.models import Analysis
from ml.imaging.write import to_dicom
from tests.accounts.factories import client_of, make_physician
from tests.diagnosis.factories import make_film, make_result


def unpack(packed: bytes) -> np.ndarray:
    """Undo the layout as the page does."""
    data = gzip.decompress(packed)
    width, height = struct.unpack("<II", data[:8])
    low, high = np.frombuffer(data[8:], np.uint8).reshape(2, height, width).astype(np.uint32)
    return (np.cumsum(low + (high << 8), axis=1) & 0xFFFF).astype(np.uint16)


def test_every_value_comes_back() -> None:
    pixels = np.random.default_rng(1).random((7, 11)).astype(np.float32)
    assert (unpack(depth.pack(pixels)) == np.rint(pixels * 65535)).all()


@pytest.mark.django_db
def test_a_deep_film_is_sent_with_more_greys_than_a_picture_holds() -> None:
    ramp = np.linspace(0, 1, 400 * 300, dtype=np.float32).reshape(300, 400)
    film = make_film(
        data=to_dicom(ramp, name="Nobody", patient_id=""),
        format="dicom",
        width=400,
        height=300,
        bits=14,
    )
    analysis, physician = make_result(film), make_physician()
    for _ in range(2):  # made, then kept
        answer = client_of(physician).get(f"/analyses/{analysis.id}/depth/")
        values = unpack(answer.content)
        assert values.shape == (300, 400)
        assert len(np.unique(values)) > 10_000
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["Content-Encoding"] == "gzip"
    seen = Entry.objects.filter(action="image.view", actor_id=physician.id)
    assert seen.filter(detail__image="depth").count() == 2


@pytest.mark.django_db
def test_a_film_that_the_gate_turned_and_inverted_is_so_at_full_depth() -> None:
    ramp = np.linspace(0, 1, 60 * 40, dtype=np.float32).reshape(40, 60)
    film = make_film(
        data=to_dicom(ramp, name="Nobody", patient_id=""),
        format="dicom",
        width=60,
        height=40,
        bits=14,
    )
    straight = unpack(depth.load(make_result(film)))
    corrected = make_result(film, quality={"corrections": ["turned_right", "inverted"]})
    turned = unpack(depth.load(Analysis.objects.get(id=corrected.id)))
    assert turned.shape == (60, 40)
    assert np.abs(turned.astype(int) - (65535 - np.rot90(straight, -1).astype(int))).max() <= 1
    assert depth.is_turned(corrected)


@pytest.mark.parametrize(
    ("bits", "width", "adds"), [(8, 1024, False), (12, 500, True), (8, 2000, True)]
)
def test_full_depth_is_offered_where_it_adds_something(bits: int, width: int, adds: bool) -> None:
    from diagnosis.models import Film

    assert depth.adds_to_picture(Film(bits=bits, width=width, height=width)) is adds
