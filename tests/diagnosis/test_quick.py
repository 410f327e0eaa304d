"""Quick reads: one film, one answer, nobody's record, gone after an hour."""

import io
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from diagnosis import films, limits, pipeline, quick, quick_reading
from diagnosis.management.commands import run_clock
from diagnosis.models import Film, QuickRead
from diagnosis.quick_reading import folder_of, key_of
from ml.imaging.synthetic import sample_film
from ml.imaging.write import to_png
from ml.read import Reading
from ml.vocabulary import NAMES
from tests.accounts.factories import client_of, make_nurse, make_physician
from tests.diagnosis.factories import draw_png
from xraydx.errors import NotFound, UserError

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("tiny_release")]


def ask(*, child: bool = False, data: bytes | None = None) -> QuickRead:
    file = io.BytesIO(data or to_png(sample_film(3, 512)))
    return quick.ask(file=file, child=child, by=make_nurse())


@pytest.mark.parametrize("child", [False, True], ids=["adult", "child"])
def test_a_film_is_answered_and_not_kept(child: bool) -> None:
    asked = ask(child=child)
    assert quick_reading.answer_next()
    answered = QuickRead.objects.get(id=asked.id)
    assert answered.state == "succeeded"
    assert answered.answer["verdict"] in {"pneumonia", "normal", "other"}
    assert answered.answer["reader"] == ("children" if child else "adults")
    assert answered.answer["pictures"] == ["film", "map"]
    assert not films.storage().exists(key_of(asked.id, "film.bin"))
    assert not Film.objects.exists()
    assert not quick_reading.answer_next()


def test_a_film_that_two_workers_died_of_is_given_up() -> None:
    asked = ask()
    QuickRead.objects.update(
        state="running", attempt=2, taken_at=timezone.now() - timedelta(minutes=5)
    )
    assert not quick_reading.answer_next()
    answered = QuickRead.objects.get(id=asked.id)
    assert (answered.state, answered.reason) == ("failed", "worker_lost")


def test_an_unfit_film_is_refused_with_its_reason() -> None:
    asked = ask(data=to_png(sample_film(3, 512) * 0 + 0.4))
    quick_reading.answer_next()
    answered = QuickRead.objects.get(id=asked.id)
    assert (answered.state, answered.reason) == ("refused", "blank")


def test_what_nothing_opens_is_refused_at_once() -> None:
    with pytest.raises(UserError, match="format_not_supported"):
        ask(data=b"%PDF-1.4 nothing")
    assert not QuickRead.objects.exists()


def test_only_who_asked_sees_the_answer() -> None:
    asked = ask()
    quick_reading.answer_next()
    assert quick.view_picture(quick_id=asked.id, name="film", by=asked.asked_by)
    for look in (
        lambda: quick.quick_for(make_physician(), asked.id),
        lambda: quick.view_picture(quick_id=asked.id, name="film", by=make_physician()),
    ):
        with pytest.raises(NotFound):
            look()


def test_after_an_hour_nothing_is_left() -> None:
    asked = ask()
    quick_reading.answer_next()
    assert quick.forget_old() == 0
    QuickRead.objects.update(created_at=timezone.now() - timedelta(minutes=61))
    assert quick.forget_old() == 1
    assert not films.storage().exists(key_of(asked.id, "film.png"))


def test_a_film_whose_question_was_never_kept_is_dropped_after_an_hour() -> None:
    kept, lost = ask(), ask()
    QuickRead.objects.filter(id=lost.id).delete()
    for asked in (kept, lost):
        film = Path(films.storage().path(key_of(asked.id, "film.bin")))
        assert quick.forget_old() == 0
        assert film.exists()
        long_ago = film.stat().st_mtime - 2 * 3600
        os.utime(film, (long_ago, long_ago))
    quick.forget_old()
    assert films.storage().exists(key_of(kept.id, "film.bin"))
    assert not films.storage().exists(folder_of(lost.id))


def test_a_storage_that_is_away_ends_neither_worker_nor_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask()

    def away(*_args: object) -> None:
        raise films.StorageUnavailable("OSError")

    monkeypatch.setattr(films, "drop_file", away)
    assert quick_reading.answer_next()
    monkeypatch.setattr(films, "drop_folder", away)
    QuickRead.objects.update(created_at=timezone.now() - timedelta(minutes=61))
    run_clock.tick(sweep=True)
    assert QuickRead.objects.exists()


@pytest.mark.parametrize(
    ("marked", "verdict"),
    [({"Pneumonia"}, "pneumonia"), ({"Pneumothorax"}, "other"), (set(), "normal")],
)
def test_what_is_marked_otherwise_is_never_called_normal(marked: set[str], verdict: str) -> None:
    release = pipeline.reader_for("tiny").release
    step = {name: 0.0 if name in marked else -1e-3 for name in NAMES}
    findings = {name: release.operating_points[name].threshold + step[name] for name in NAMES}
    reading = Reading("read", None, {}, "tiny", {}, findings=findings)
    answer = quick_reading.answer_of(release, reading, child=False)
    assert answer.verdict == verdict


def test_the_page_takes_a_film_and_shows_the_answer() -> None:
    client = client_of(make_nurse())
    sent = client.post("/quick/", {"file": SimpleUploadedFile("a.png", draw_png(5, (400, 400)))})
    assert sent.status_code == 302
    assert "Reading the film" in client.get(sent.url).text  # type: ignore[attr-defined]
    QuickRead.objects.update(state="succeeded", answer=_answered())
    text = client.get(sent.url).text  # type: ignore[attr-defined]
    assert "PNEUMONIA" in text
    assert "Not for diagnosis without a physician." in text


def _answered() -> dict[str, Any]:
    from tests.diagnosis.factories import quick_answer

    return quick_answer(["film", "map"])


def test_the_page_of_limits_counts_by_the_release() -> None:
    found = limits.present_limits()
    assert found
    assert [row.name for row in found.diseases][:2] == ["Atelectasis", "Cardiomegaly"]
    assert "free air below the diaphragm" in client_of(make_nurse()).get("/limits/").text


def test_past_the_hourly_number_an_account_waits_and_others_do_not(settings: Any) -> None:
    settings.QUICK_READS_PER_HOUR = 2
    nurse, other, png = make_nurse(), make_nurse(), to_png(sample_film(3, 512))
    for _ in range(2):
        quick.ask(file=io.BytesIO(png), child=False, by=nurse)
    with pytest.raises(UserError) as refused:
        quick.ask(file=io.BytesIO(png), child=False, by=nurse)
    assert (refused.value.code, refused.value.status) == ("quick_read_limit", 429)
    assert 59 <= int(refused.value.params["minutes"]) <= 60
    quick.ask(file=io.BytesIO(png), child=False, by=other)
    QuickRead.objects.update(created_at=timezone.now() - timedelta(minutes=61))
    quick.ask(file=io.BytesIO(png), child=False, by=nurse)


def test_the_page_says_when_a_quick_read_is_free_again(settings: Any) -> None:
    settings.QUICK_READS_PER_HOUR = 1
    nurse, png = make_nurse(), to_png(sample_film(3, 512))
    quick.ask(file=io.BytesIO(png), child=False, by=nurse)
    answer = client_of(nurse).post("/quick/", {"file": SimpleUploadedFile("film.png", png)})
    assert answer.status_code == 429
    assert "Ask again in 60 min." in answer.content.decode()
