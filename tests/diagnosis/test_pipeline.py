"""The story of one film, told with real networks of a few kB."""

import logging
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import OperationalError
from django.db.models.functions import Now

from diagnosis import films, pipeline, queue
from diagnosis.models import Analysis, Film, Finding
from diagnosis.states import Status
from ml.read import Reader
from tests.diagnosis.factories import claim, draw_png, make_analysis, make_film
from tests.patients.factories import make_patient, make_visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("tiny_release")]


def ready(**film: Any) -> queue.Claim:
    """A claimed analysis of a sound film."""
    return claim(make_analysis(make_film(**film), release="tiny"))


def row_of(held: queue.Claim) -> Analysis:
    return Analysis.objects.get(id=held.analysis_id)


def test_a_read_film_has_findings_pictures_and_times() -> None:
    held = ready()
    assert pipeline.run(held) is Status.SUCCEEDED
    row = row_of(held)
    assert row.findings.count() == 13
    assert [one.rank for one in row.findings.all()] == list(range(1, 14))
    assert {"load", "decode", "gate", "classify", "pictures", "store"} <= row.timings_ms.keys()
    for key in row.images.values():
        assert key.startswith(films.picture_folder(row.id))
        assert films.load_picture(key).startswith(b"\x89PNG")


def test_a_missing_and_a_damaged_film_are_our_fault() -> None:
    held = ready()
    films.storage().delete(films.film_key(Film.objects.get().sha256))
    assert pipeline.run(held) is Status.FAILED
    assert row_of(held).reason == "film_missing"


def test_bytes_that_no_longer_decode_are_refused() -> None:
    held = ready(data=draw_png()[:900])
    assert pipeline.run(held) is Status.REFUSED
    assert row_of(held).reason == "truncated"


def test_a_release_that_is_gone_fails_the_analysis() -> None:
    held = claim(make_analysis(release="of-old"))
    assert pipeline.run(held) is Status.FAILED
    assert row_of(held).reason == "release_unavailable"


def test_a_storage_that_is_away_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def be_away(_sha256: str) -> bytes:
        raise films.StorageUnavailable

    monkeypatch.setattr(films, "fetch", be_away)
    held = ready()
    assert pipeline.run(held) is Status.QUEUED
    row = row_of(held)
    assert row.available_at > row.updated_at


def test_a_fault_of_ours_has_an_incident_number_and_tells_no_name(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(*_args: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(Reader, "pictures", break_down)
    held = ready(visit=make_visit(make_patient(mrn="SECRET77", family_name="Nguyen")))
    assert pipeline.run(held) is Status.FAILED
    row = row_of(held)
    assert row.reason == "internal_error"
    assert len(row.incident) == 8
    assert row.incident in caplog.text
    assert not {"SECRET77", "Nguyen"} & set(caplog.text.split())


def test_a_cancel_in_mid_reading_stops_it_at_the_next_stage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []
    read = Reader.read

    def read_and_cancel(self: Reader, film: Any, *, child: bool, on_stage: Any) -> Any:
        def cancel_in_time(stage: str) -> None:
            seen.append(stage)
            if stage == "detect":
                queue.cancel(held.analysis_id)
            on_stage(stage)

        return read(self, film, child=child, on_stage=cancel_in_time)

    held = ready()
    monkeypatch.setattr(Reader, "read", read_and_cancel)
    assert pipeline.run(held) is None
    assert seen[-1] == "detect"
    assert row_of(held).status == Status.CANCELLED
    assert not Finding.objects.exists()


def test_a_lost_lease_leaves_no_result_and_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    held = ready()
    store = films.store_pictures

    def lose_meanwhile(*args: Any) -> Any:
        Analysis.objects.update(lease_until=Now())
        queue.reap()
        return store(*args)

    monkeypatch.setattr(films, "store_pictures", lose_meanwhile)
    assert pipeline.run(held) is None
    assert row_of(held).status == Status.QUEUED
    assert not Finding.objects.exists()
    assert films._listed(films.storage(), films.picture_folder(held.analysis_id))[0] == []


def test_a_database_that_is_away_for_a_moment_loses_no_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    away = [OperationalError("away"), OperationalError("still away")]
    succeed = queue.succeed

    def succeed_at_last(*args: Any) -> None:
        if away:
            raise away.pop()
        succeed(*args)

    monkeypatch.setattr(pipeline, "DATABASE_WAIT_S", 0.01)
    monkeypatch.setattr(pipeline.connection, "close", lambda: None)
    monkeypatch.setattr(queue, "succeed", succeed_at_last)
    held = ready()
    assert pipeline.run(held) is Status.SUCCEEDED
    assert Finding.objects.count() == 13


def test_an_erased_film_ends_its_reading_quietly(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    held = ready()
    Film.objects.all().delete()
    assert pipeline.run(held) is None
    assert "lost its claim" in caplog.text


def test_the_same_film_is_read_the_same_again() -> None:
    data = draw_png(7)
    read = []
    for _ in range(2):
        held = ready(data=data)
        pipeline.run(held)
        found = Finding.objects.filter(analysis_id=held.analysis_id)
        read.append(list(found.values_list("code", "probability", "rank")))
    assert read[0] == read[1]


@pytest.mark.parametrize(("age", "asked"), [(3, True), (0, False), (6, False), (40, False)])
def test_the_childrens_reader_is_asked_by_age(age: int, asked: bool) -> None:
    visit = make_visit(make_patient(birth_date=None, age_estimated=age))
    held = claim(make_analysis(make_film(visit), release="tiny"))
    assert pipeline.run(held) == Status.SUCCEEDED
    found = Analysis.objects.get(id=held.analysis_id).child
    assert (found is not None) is asked
    if found:
        assert 0 < found["pneumonia"] < 1
        assert 0 < found["threshold"] < 1


def test_an_old_film_of_a_child_is_read_by_the_age_on_the_film() -> None:
    patient = make_patient(birth_date=date(2010, 1, 1), age_estimated=None)
    film = make_film(make_visit(patient))
    Film.objects.filter(pk=film.pk).update(uploaded_at=datetime(2013, 6, 1, tzinfo=UTC))
    held = claim(make_analysis(film, release="tiny"))
    assert pipeline.run(held) == Status.SUCCEEDED
    assert Analysis.objects.get(id=held.analysis_id).child is not None
