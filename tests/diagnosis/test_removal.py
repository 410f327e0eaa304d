"""Deleted films come back, or go for good; bytes that no row names are swept."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.storage import storages
from django.test import Client
from django.utils import timezone

from audit.models import Entry
from diagnosis import films, removal, services
from diagnosis.models import Analysis, Film, Study
from tests.accounts.factories import client_of, make_administrator, make_physician
from tests.diagnosis.factories import draw_png, make_film, make_result
from xraydx.errors import Conflict, Forbidden, NotFound

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return client_of(make_administrator())


def deleted_film(**values: Any) -> Film:
    film = make_film(**values)
    make_result(film)
    services.delete_film(film=film, by=make_administrator())
    film.refresh_from_db()
    return film


def place_of(key: str) -> Path:
    return Path(storages["default"].path(key))


def grow_old(file: Path) -> None:
    long_ago = (timezone.now() - removal.SWEEP_AFTER - timedelta(minutes=1)).timestamp()
    os.utime(file, (long_ago, long_ago))


def test_a_deleted_film_is_listed_and_comes_back(client: Client) -> None:
    film = deleted_film()
    assert film.patient.family_name in client.get("/films/deleted/").content.decode()
    answer = client.post(f"/films/{film.id}/restore/")
    assert answer.headers["Location"] == f"/films/{film.id}/"
    assert client.get(f"/films/{film.id}/").status_code == 200
    assert film.patient.family_name not in client.get("/films/deleted/").content.decode()
    assert Entry.objects.filter(action="film.restore", target_id=film.id).exists()


def test_a_film_that_was_sent_again_is_not_restored_beside_itself(client: Client) -> None:
    data = draw_png()
    film = deleted_film(data=data)
    make_film(film.visit, data=data)
    with pytest.raises(Conflict, match="film_already_there"):
        removal.restore_film(film=film, by=make_administrator())
    assert client.post(f"/films/{film.id}/restore/").status_code == 409


def test_erasing_asks_first(client: Client) -> None:
    film = deleted_film()
    assert "Erase this film for good?" in client.get(f"/films/{film.id}/erase/").content.decode()
    assert client.post(f"/films/{film.id}/erase/").status_code == 422
    assert Film.objects.filter(id=film.id).exists()


def test_an_erased_film_leaves_nothing_but_its_record(
    client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    film = deleted_film()
    analysis = film.analyses.get()
    kept = [films.film_key(film.sha256), *analysis.images.values()]
    assert all(place_of(key).exists() for key in kept)
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post(f"/films/{film.id}/erase/", {"sure": "on"}).status_code == 302
    assert not any(place_of(key).exists() for key in kept)
    assert not Film.objects.exists()
    assert not Analysis.objects.exists()
    assert not Study.objects.exists()
    assert Entry.objects.filter(action="film.erase", target_id=film.id).exists()


def test_bytes_that_another_film_shares_stay(django_capture_on_commit_callbacks: Any) -> None:
    data = draw_png()
    film, other = deleted_film(data=data), make_film(data=data)
    with django_capture_on_commit_callbacks(execute=True):
        removal.erase_film(film=film, by=make_administrator())
    assert films.load(other.sha256) == data


def test_only_deleted_films_and_only_by_administrators() -> None:
    film, gone = make_film(), deleted_film()
    with pytest.raises(NotFound):
        removal.view_deleted(film_id=film.id, by=make_administrator())
    for step in (removal.restore_film, removal.erase_film):
        with pytest.raises(NotFound):
            step(film=film, by=make_administrator())
        with pytest.raises(Forbidden):
            step(film=gone, by=make_physician())


def test_bytes_of_an_upload_whose_commit_failed_are_swept() -> None:
    kept, orphan, fresh = make_film(), films.measure(b"orphan"), films.measure(b"fresh")
    films.store(b"orphan", orphan)
    films.store(b"fresh", fresh)
    for sha256 in (kept.sha256, orphan.sha256):
        grow_old(place_of(films.film_key(sha256)))
    assert removal.sweep() == 1
    assert films.load(kept.sha256)
    assert films.load(fresh.sha256) == b"fresh"
    with pytest.raises(films.FilmMissing):
        films.load(orphan.sha256)


def test_a_write_that_was_cut_off_is_swept() -> None:
    film = make_film()
    folder = place_of(films.film_key(film.sha256)).parent
    old, new = folder / f"{films.PART}old", folder / f"{films.PART}new"
    for part in (old, new):
        part.write_bytes(b"half")
    grow_old(old)
    removal.sweep([folder.name])
    assert (old.exists(), new.exists()) == (False, True)


def test_pictures_of_an_analysis_that_is_gone_are_swept() -> None:
    kept = make_result()
    gone = uuid4()
    keys = films.store_pictures(gone, 1, {"film": draw_png()})
    assert removal.sweep() == 1
    assert not place_of(keys["film"]).exists()
    assert all(place_of(key).exists() for key in kept.images.values())


def test_what_somebody_else_put_into_the_storage_is_left_alone() -> None:
    strange = [place_of("films/ab/notes.txt"), place_of("pictures/ab/holiday/1/a.png")]
    for file in strange:
        file.parent.mkdir(parents=True)
        file.write_bytes(b"not ours")
        grow_old(file)
    assert removal.sweep() == 0
    assert all(file.exists() for file in strange)


def test_the_clock_has_swept_everything_after_a_day() -> None:
    swept = [folder for hour in range(24) for folder in removal.FOLDERS[hour::24]]
    assert sorted(swept) == list(removal.FOLDERS)
