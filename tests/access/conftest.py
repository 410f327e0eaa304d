"""What the access matrix needs: uploads ask for a release, and no bell is heard."""

import pytest

from diagnosis import tasks
from tests.diagnosis.tiny_release import tiny_release, tiny_weights  # noqa: F401


@pytest.fixture(autouse=True)
def _uploads_work(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release is there, and nobody listens for bells."""
    request.getfixturevalue("tiny_release")
    monkeypatch.setattr(tasks, "_broker_rests_until", float("inf"))
