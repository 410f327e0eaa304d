"""The pages of films without script: forms, questions, refusals, what may stand where."""

import re
from datetime import timedelta
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from audit.models import Entry
from diagnosis.models import Analysis, Film, FilmMove, Reading
from tests.accounts.factories import client_of, make_nurse, make_physician
from tests.diagnosis.factories import (
    draw_png,
    findings_with,
    make_analysis,
    make_failure,
    make_film,
    make_result,
)
from tests.ml.tiny import build_release
from tests.patients.factories import close, make_patient, make_visit

STATIC = Path(settings.BASE_DIR) / "static"


@pytest.fixture(autouse=True)
def _release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XRAYDX_WEIGHTS", str(build_release(tmp_path / "weights")))


def upload(name: str = "film.png", data: bytes | None = None) -> dict[str, Any]:
    return {"file": SimpleUploadedFile(name, draw_png() if data is None else data)}


@pytest.mark.django_db
def test_a_file_that_nothing_opens_is_refused_on_the_page_and_leaves_no_film() -> None:
    visit, client = make_visit(), client_of(make_physician())
    answer = client.post(f"/visits/{visit.id}/films/", upload(data=b"%PDF-1.4 nothing"))
    assert answer.status_code == 422
    assert "Send the film as DICOM" in answer.text
    assert not Film.objects.exists()


@pytest.mark.django_db
def test_another_patients_film_is_a_question_and_a_tick_answers_it() -> None:
    data, visit, client = draw_png(3), make_visit(), client_of(make_physician())
    make_film(data=data)
    answer = client.post(f"/visits/{visit.id}/films/", upload(data=data))
    assert answer.status_code == 409
    assert 'name="confirm_patient"' in answer.text
    answer = client.post(
        f"/visits/{visit.id}/films/", {**upload(data=data), "confirm_patient": "true"}
    )
    assert answer.status_code == 302
    assert Film.objects.filter(visit=visit).count() == 1


@pytest.mark.django_db
def test_no_drop_zone_stands_on_a_closed_visit() -> None:
    visit = close(make_visit())
    text = client_of(make_physician()).get(f"/visits/{visit.id}/films/").text
    assert "The visit is closed." in text
    assert "data-drop" not in text


@pytest.mark.django_db
def test_a_film_is_moved_to_a_patient_who_was_looked_for() -> None:
    film, client = make_film(), client_of(make_physician())
    before = film.patient_id
    target = make_visit(make_patient(family_name="Vandermeer"))
    address = f"/films/{film.id}/move/"
    found = client.post(address, {"text": "vander"}).text
    assert str(target.id) in found
    answer = client.post(address, {"visit": str(target.id), "reason": "Two Kims in the hall"})
    assert answer.status_code == 302
    film.refresh_from_db()
    assert film.patient_id == target.patient_id
    for patient, words in ((film.patient_id, "Moved here by"), (before, "was moved away by")):
        page = client.get(f"/patients/{patient}/").text
        assert words in page
        assert "Two Kims in the hall" in page


@pytest.mark.django_db
def test_a_move_without_a_reason_is_refused_on_the_page() -> None:
    film = make_film()
    other = make_visit(film.patient)
    answer = client_of(make_physician()).post(
        f"/films/{film.id}/move/", {"visit": str(other.id), "reason": " "}
    )
    assert answer.status_code == 422
    assert not FilmMove.objects.exists()


@pytest.mark.django_db
def test_deleting_asks_first_and_then_takes_the_film_out_of_the_history() -> None:
    film, client = make_film(), client_of(make_physician())
    assert client.get(f"/films/{film.id}/delete/").status_code == 200
    assert Film.objects.filter(deleted_at__isnull=True).exists()
    answer = client.post(f"/films/{film.id}/delete/")
    assert answer.url == f"/patients/{film.patient_id}/"  # type: ignore[attr-defined]
    assert client.get(f"/films/{film.id}/").status_code == 404


@pytest.mark.django_db
def test_a_verdict_that_is_none_is_refused_in_place() -> None:
    analysis = make_result()
    answer = client_of(make_physician()).post(
        f"/analyses/{analysis.id}/sign/", {"verdict": "maybe"}, headers={"HX-Request": "true"}
    )
    assert answer.status_code == 422
    assert "Choose one of the three" in answer.text
    assert not Reading.objects.exists()


@pytest.mark.django_db
def test_a_picture_is_private_and_its_view_is_recorded() -> None:
    analysis, nurse = make_result(), make_nurse()
    answer = client_of(nurse).get(f"/analyses/{analysis.id}/images/attention/")
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["Content-Type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")
    assert Entry.objects.filter(action="image.view", actor_id=nurse.id).exists()


@pytest.mark.django_db
def test_the_title_of_a_film_names_nobody() -> None:
    analysis = make_result(make_film(make_visit(make_patient(family_name="Vandermeer"))))
    text = client_of(make_physician()).get(f"/films/{analysis.film_id}/").text
    title = re.search("<title>(.*?)</title>", text, re.S)
    assert title
    assert "Vandermeer" not in title[1]
    assert "Vandermeer" in text


@pytest.mark.django_db
def test_the_foot_of_a_film_says_what_the_result_is_not() -> None:
    text = client_of(make_physician()).get(f"/films/{make_result().film_id}/").text
    assert "Not for diagnosis without a physician." in text


@pytest.mark.django_db
def test_a_page_of_a_film_asks_the_database_a_bounded_number_of_times(
    django_assert_max_num_queries: Any,
) -> None:
    film = make_film()
    for _ in range(3):
        make_result(make_film(film.visit))
    analysis = make_result(film)
    client = client_of(make_physician())
    with django_assert_max_num_queries(24):
        client.get(f"/films/{analysis.film_id}/")


def test_vendored_files_are_those_of_the_table() -> None:
    rows = re.findall(
        r"^\| (\S+\.js) \| .* \| ([0-9a-f]{64}) \|$",
        (STATIC / "vendor/README.md").read_text(),
        re.M,
    )
    assert rows
    for name, digest in rows:
        assert sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == digest
    there = {path.name for path in (STATIC / "vendor").glob("*.js")}
    assert there == {name for name, _digest in rows}


def test_own_scripts_and_sheets_are_small_and_reach_nowhere_else() -> None:
    for path in [*STATIC.glob("js/**/*.js"), *STATIC.glob("css/*.css")]:
        text = path.read_text()
        assert len(text.splitlines()) <= 400, path
        assert "http://" not in text and "https://" not in text, path  # noqa: PT018


@pytest.mark.django_db
def test_the_answer_to_the_last_poll_brings_the_strip_up_to_date() -> None:
    analysis, client = make_result(), client_of(make_physician())
    answer = client.get(f"/analyses/{analysis.id}/status/")
    assert 'id="film-strip" class="film-strip" hx-swap-oob="true"' in answer.text


@pytest.mark.django_db
@pytest.mark.parametrize(("probability", "judged"), [(0.9, True), (0.1, False)])
def test_what_the_childrens_reader_marks_is_shown_and_judged(
    probability: float, judged: bool
) -> None:
    analysis = make_result(child={"pneumonia": probability, "threshold": 0.5})
    text = client_of(make_physician()).get(f"/films/{analysis.film_id}/").text
    assert "Children&#x27;s reader" in text or "Children's reader" in text
    assert ('data-judge="Pneumonia"' in text) is judged


@pytest.mark.django_db
def test_a_probable_finding_behind_a_dangerous_one_is_not_marked_for_that() -> None:
    text = client_of(make_physician()).get(f"/films/{make_result().film_id}/").text
    rows = re.findall(r'<li class="finding .*?</li>', text, re.S)
    names = ["Pneumothorax", "Effusion", "Atelectasis", "Cardiomegaly"]
    assert [name for name in names if name in rows[names.index(name)]] == names
    assert ["▲" in row for row in rows] == [True, True, False, False]
    assert "Not marked: below its operating point 0.50." in rows[3]


@pytest.mark.django_db
def test_what_the_childrens_reader_marks_is_judged_first_and_not_among_the_less_probable() -> None:
    marked = {"Effusion": 0.9, "Mass": 0.8, "Nodule": 0.7, "Edema": 0.6, "Pneumonia": 0.5}
    child = {"pneumonia": 0.9, "threshold": 0.5}
    analysis = make_result(findings=findings_with(marked), child=child)
    text = client_of(make_physician()).get(f"/films/{analysis.film_id}/").text
    judged = re.findall(r'data-judge="(\w+)"', text)
    assert judged[0] == "Pneumonia"
    assert sorted(judged) == sorted(marked)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("age", "child", "said"),
    [
        (3, None, "the children's reader reads the film, too"),
        (40, {"pneumonia": 0.9, "threshold": 0.5}, "asked for another age"),
        (3, {"pneumonia": 0.9, "threshold": 0.5}, ""),
        (40, None, ""),
        (None, None, ""),
    ],
)
def test_an_age_learned_later_offers_to_read_the_film_again(
    age: int | None, child: dict[str, float] | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diagnosis.quick_words.child_ages", lambda: (1, 6))
    film = make_film(make_visit(make_patient(age_estimated=age)))
    analysis = make_result(film, child=child)
    text = unescape(client_of(make_physician()).get(f"/films/{analysis.film_id}/").text)
    assert ("age-doubt" in text) is bool(said)
    assert said in text


@pytest.mark.django_db
def test_a_film_is_seen_though_its_reading_failed() -> None:
    failed, client = make_failure(), client_of(make_physician())
    address = f"/analyses/{failed.id}/depth/"
    assert address in client.get(f"/films/{failed.film_id}/").text
    assert client.get(address).status_code == 200
    lost = make_failure(reason="film_missing")
    assert "data-viewer" not in client.get(f"/films/{lost.film_id}/").text
    assert client.get(f"/analyses/{lost.id}/depth/").status_code == 404


@pytest.mark.django_db
def test_a_film_is_seen_when_its_reading_is_long_in_coming() -> None:
    waiting, client = make_analysis(), client_of(make_physician())
    assert "data-viewer" not in client.get(f"/films/{waiting.film_id}/").text
    Analysis.objects.filter(pk=waiting.pk).update(created_at=timezone.now() - timedelta(seconds=11))
    text = client.get(f"/films/{waiting.film_id}/").text
    assert 'id="film-alone" hx-preserve' in text
    assert "This takes longer than usual." in text
