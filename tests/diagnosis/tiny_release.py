"""The fixture of a release of a few kB, for tests that upload and read."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from diagnosis import pipeline
from tests.ml.tiny import build_release


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny release."""
    return build_release(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def tiny_release(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Have the tiny release be the present one, in this process and its children."""
    monkeypatch.setenv("XRAYDX_WEIGHTS", str(tiny_weights))
    monkeypatch.setattr(pipeline, "_loaded", None)
    assert os.environ["XRAYDX_WEIGHTS"]
    yield "tiny"
    pipeline._loaded = None
