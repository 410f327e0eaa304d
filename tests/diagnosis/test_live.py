"""A page that waits has the result when it is stored; waiting pages leave threads for others."""

import threading
import time

import pytest

from diagnosis import live, queue, selectors
from diagnosis.models import Analysis
from tests.accounts.factories import client_of, make_nurse, make_physician
from tests.diagnosis.factories import claim, make_analysis, make_film, make_outcome
from tests.diagnosis.test_waiting import end_soon

pytestmark = pytest.mark.django_db(transaction=True)


def address_of(analysis: Analysis) -> str:
    return f"/analyses/{analysis.id}/status/"


def test_the_answer_comes_with_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "LOOK_AGAIN_S", 30.0)
    monkeypatch.setattr(live, "HELD_S", 20.0)
    analysis, client = make_analysis(make_film()), client_of(make_physician())
    ending = end_soon(analysis.id, seconds=0.3)
    started = time.monotonic()
    text = client.get(address_of(analysis)).text
    assert 'data-state="cancelled"' in text
    assert time.monotonic() - started < 10
    ending.join()


def test_a_result_that_is_there_is_answered_at_once() -> None:
    analysis, client = make_analysis(make_film()), client_of(make_physician())
    held = claim(analysis)
    queue.succeed(held, make_outcome(held))
    started = time.monotonic()
    assert 'data-state="succeeded"' in client.get(address_of(analysis)).text
    assert time.monotonic() - started < live.HELD_S


def test_an_answer_that_was_held_in_vain_asks_again_without_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "HELD_S", 0.1)
    text = client_of(make_physician()).get(address_of(make_analysis(make_film()))).text
    assert 'hx-trigger="load delay:0ms, every 5s"' in text


def test_with_no_room_to_wait_the_answer_comes_at_once_and_asks_again_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "_room", threading.BoundedSemaphore(1))
    monkeypatch.setattr(live, "HELD_S", 20.0)
    analysis = make_analysis(make_film())
    live._room.acquire()
    started = time.monotonic()
    text = client_of(make_nurse()).get(address_of(analysis)).text
    assert time.monotonic() - started < 10
    assert "load delay:400ms" in text


def test_who_may_not_see_the_film_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HELD_S", 20.0)
    analysis = make_analysis(make_film())
    stranger = make_physician()
    film = analysis.film
    film.deleted_at = film.uploaded_at
    film.save(update_fields=["deleted_at"])
    started = time.monotonic()
    assert client_of(stranger).get(address_of(analysis)).status_code == 404
    assert time.monotonic() - started < 10
