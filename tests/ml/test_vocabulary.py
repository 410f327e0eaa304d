"""The names of findings are fixed, and the document says what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml.vocabulary import BOX_LABELS, CLASSIFIER_LABELS, DISEASES, NAMES

DOCUMENT = Path(__file__).parents[2] / "docs" / "vocabulary.md"


def test_the_13_stand_in_the_order_in_which_programs_rely_on_them():
    assert " ".join(NAMES) == (
        "Atelectasis Cardiomegaly Effusion Infiltration Mass Nodule Pneumonia Pneumothorax "
        "Consolidation Edema Emphysema Fibrosis Pleural_Thickening"
    )
    assert CLASSIFIER_LABELS[:13] == NAMES
    assert set(BOX_LABELS) < set(NAMES)


@pytest.mark.parametrize("disease", DISEASES, ids=lambda disease: disease.name)
def test_the_document_defines_every_disease_as_the_code_does(disease):
    line = next(
        line for line in DOCUMENT.read_text().splitlines() if line.startswith(f"| {disease.name} |")
    )
    assert disease.plain in line
    assert disease.definition in line
    assert ("yes" in line.split("|")[4]) == disease.urgent
    assert (disease.snomed or "–") in line.split("|")[5]
