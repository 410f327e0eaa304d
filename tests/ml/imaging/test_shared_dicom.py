"""Public DICOM test files, odd and broken on purpose: a right picture or a clear refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.imaging.decode import decode
from ml.refusal import Refusal

pytestmark = pytest.mark.realdata

REFUSED = {
    "DICOMDIR-bigEnd.dcm": "no_pixels",
    "ExplVR_BigEndNoMeta.dcm": "no_pixels",
    "ExplVR_LitEndNoMeta.dcm": "no_pixels",
    "GH1376.dcm": "truncated",
    "GH220.dcm": "no_pixels",
    "GH223.dcm": "no_pixels",
    "GH626.dcm": "no_pixels",
    "badVR.dcm": "unreadable",
    "chrJapMulti.dcm": "no_pixels",
    "chrSQEncoding.dcm": "no_pixels",
    "empty_charset_LEI.dcm": "no_pixels",
    "liver_nonbyte_aligned_deflate.dcm": "format_not_supported",
    "meta_missing_tsyntax.dcm": "unreadable",
    "nested_priv_SQ.dcm": "unreadable",
    "no_meta.dcm": "format_not_supported",
    "no_meta_group_length.dcm": "no_pixels",
    "rtstruct.dcm": "no_pixels",
}


def _answers(folder: Path) -> dict[str, str]:
    answers = {}
    for path in sorted(folder.glob("*.dcm")):
        try:
            film = decode(path.read_bytes())
        except Refusal as refusal:
            answers[path.name] = refusal.code
        else:
            assert film.pixels.std() > 0.01
            answers[path.name] = "opens"
    assert answers
    return answers


def test_malformed_files_open_or_are_refused_as_known(shared_data):
    answers = _answers(shared_data / "dicom" / "malformed")
    assert {name: code for name, code in answers.items() if code != "opens"} == REFUSED


@pytest.mark.parametrize("folder", ["chest", "other"])
def test_odd_but_sound_files_open(shared_data, folder):
    assert set(_answers(shared_data / "dicom" / folder).values()) == {"opens"}


def test_two_encodings_of_a_film_agree(shared_data):
    chest = shared_data / "dicom" / "chest"
    lossy, near = (
        decode((chest / name).read_bytes()).pixels for name in ("RG1_J2KI.dcm", "RG1_JLSN.dcm")
    )
    assert np.abs(lossy - near).mean() < 0.01


def test_chest_films_stand_upright_with_dark_lungs(shared_data):
    chest = shared_data / "dicom" / "chest"
    for name in ("RG1_J2KI.dcm", "gdcm-CR-MONO1-10-chest.dcm"):
        film = decode((chest / name).read_bytes()).pixels
        height, width = film.shape
        rows = slice(height * 3 // 10, height // 2)
        spine = film[rows, width * 47 // 100 : width * 53 // 100].mean()
        for left in (0.2, 0.68):
            lung = film[rows, int(width * left) : int(width * (left + 0.1))].mean()
            assert lung < spine - 0.1
