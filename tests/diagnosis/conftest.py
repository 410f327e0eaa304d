"""Fixtures of the tests of films and analyses."""

import pytest

from tests.diagnosis.tiny_release import tiny_release, tiny_weights  # noqa: F401


@pytest.fixture(autouse=True)
def _bells_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test of this folder listens, so no bell is sent."""
    from diagnosis import tasks

    monkeypatch.setattr(tasks, "_broker_rests_until", float("inf"))
