"""Fixtures of the tests of the quality pages."""

import json
from pathlib import Path

import pytest

from ml.vocabulary import NAMES
from quality import reference
from tests.diagnosis.conftest import _bells_rest  # noqa: F401
from tests.diagnosis.factories import RELEASE

EVENLY = [tenth / 10 for tenth in range(1, 10)]


@pytest.fixture
def even_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference in which every quantity is spread evenly over 0..1."""
    names = ("abnormal", "lung_fraction", *NAMES)
    text = json.dumps({"deciles": dict.fromkeys(names, EVENLY)})
    (tmp_path / f"{RELEASE}.json").write_text(text)
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    reference.reference_of.cache_clear()
    yield  # type: ignore[misc]
    reference.reference_of.cache_clear()
