"""Celery's application, whose worker reads by a callable of the tests, slowly on request."""

import os
import time
from pathlib import Path

import django

from xraydx.celery import app

__all__ = ["app"]

django.setup()

from diagnosis import pipeline, queue  # noqa: E402
from diagnosis.queue import Claim  # noqa: E402
from diagnosis.states import Status  # noqa: E402
from tests.diagnosis.factories import make_outcome  # noqa: E402


def read(claim: Claim) -> Status:
    """Leave a file that says who began, wait while the file `wait` stands, then succeed."""
    folder = Path(os.environ["READING_FOLDER"])
    worker = claim.worker.partition("@")[0]
    (folder / f"begun-{claim.attempt}-by-{worker}").touch()
    while (folder / "wait").exists():
        time.sleep(0.05)
    pipeline._patiently(lambda: queue.succeed(claim, make_outcome()))
    return Status.SUCCEEDED


pipeline.run = read
pipeline.warm_up = lambda: "r"
