"""Whoever waits for a result hears of it at once, and notices it without hearing, too."""

import threading
import time
from uuid import UUID

import pytest
from django.db import connection

from diagnosis import queue, selectors
from diagnosis.models import Analysis
from tests.diagnosis.factories import make_film

pytestmark = pytest.mark.django_db(transaction=True)


def queued() -> UUID:
    return queue.enqueue(film_id=make_film().id, release="r1", requested_by_id=None)[0]


def end_soon(analysis_id: UUID, *, seconds: float = 0.2) -> threading.Thread:
    def end() -> None:
        time.sleep(seconds)
        queue.cancel(analysis_id)
        connection.close()

    thread = threading.Thread(target=end)
    thread.start()
    return thread


def test_the_end_is_heard_and_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "LOOK_AGAIN_S", 30.0)
    analysis = queued()
    ending = end_soon(analysis)
    started = time.monotonic()
    assert selectors.wait_until_final(analysis, 20) is True
    assert time.monotonic() - started < 5
    ending.join()


def test_the_end_of_another_is_not_taken_for_it() -> None:
    analysis, other = queued(), queued()
    ending = end_soon(other, seconds=0.1)
    assert selectors.wait_until_final(analysis, 0.6) is False
    ending.join()


def test_an_end_that_nobody_announces_is_seen() -> None:
    analysis = queued()

    def erase() -> None:
        time.sleep(0.2)
        Analysis.objects.filter(id=analysis).delete()
        connection.close()

    thread = threading.Thread(target=erase)
    thread.start()
    assert selectors.wait_until_final(analysis, 10) is True
    thread.join()


def test_nothing_is_listened_to_afterwards() -> None:
    selectors.wait_until_final(queued(), 0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_listening_channels()")
        assert cursor.fetchone() == (0,)
