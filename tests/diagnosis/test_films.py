"""Films and pictures in the storage."""

import os
import stat
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.storage import storages

from diagnosis import films
from diagnosis.models import Film
from tests.diagnosis.factories import draw_png, make_film
from tests.patients.factories import make_patient, make_visit


def store(data: bytes) -> films.Digest:
    digest = films.measure(data)
    films.store(data, digest)
    return digest


def root() -> Path:
    return Path(storages["default"].path(""))


def test_a_film_comes_back_as_it_was() -> None:
    data = os.urandom(3 * 1024 * 1024 + 17)
    digest = store(data)
    assert digest.size == len(data)
    assert films.load(digest.sha256) == data


def test_the_same_bytes_lie_there_once() -> None:
    digest = store(b"film")
    place = root() / films.film_key(digest.sha256)
    before = place.stat().st_mtime_ns
    store(b"film")
    assert place.stat().st_mtime_ns == before
    assert [file for file in root().rglob("*") if file.is_file()] == [place]


def test_a_write_that_was_cut_short_is_mended() -> None:
    digest = store(b"whole film")
    place = root() / films.film_key(digest.sha256)
    place.write_bytes(b"whole")
    store(b"whole film")
    assert films.load(digest.sha256) == b"whole film"


def test_changed_and_missing_films_are_noticed() -> None:
    digest = store(b"film")
    (root() / films.film_key(digest.sha256)).write_bytes(b"fake")
    with pytest.raises(films.FilmDamaged):
        films.load(digest.sha256)
    with pytest.raises(films.FilmMissing):
        films.load("0" * 64)


def test_nobody_else_can_look_into_the_storage() -> None:
    store(b"film")
    films.store_pictures(uuid4(), 1, {"film": draw_png()})
    for place in [root() / "films", root() / "pictures", *root().rglob("*")]:
        assert stat.S_IMODE(place.stat().st_mode) & 0o077 == 0, place


def test_a_storage_that_takes_nothing_is_named_so(settings: Any, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    options = {**settings.STORAGES["default"]["OPTIONS"], "location": str(blocked)}
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {**settings.STORAGES["default"], "OPTIONS": options},
    }
    with pytest.raises(films.StorageUnavailable):
        store(b"film")
    assert blocked.is_file()


def test_pictures_of_attempts_lie_apart_and_go_apart() -> None:
    analysis = uuid4()
    first = films.store_pictures(analysis, 1, {"film": b"one"})
    second = films.store_pictures(analysis, 2, {"film": b"two", "boxes": b"three"})
    films.drop_pictures(analysis, 1)
    with pytest.raises(films.FilmMissing):
        films.load_picture(first["film"])
    assert films.load_picture(second["film"]) == b"two"
    films.drop_pictures(analysis)
    assert not list(root().rglob("*.png"))
    films.drop_pictures(analysis)


@pytest.mark.django_db
def test_no_key_says_whose_film_it_is() -> None:
    visit = make_visit(make_patient(mrn="SECRET77", family_name="Nguyen"))
    film = make_film(visit)
    films.store_pictures(uuid4(), 1, {"film": draw_png()})
    names = " ".join(str(file) for file in root().rglob("*")).casefold()
    for secret in (visit.patient_id, visit.id, film.id, "secret77", "nguyen"):
        assert str(secret) not in names


@pytest.mark.django_db
def test_shared_bytes_stay_until_the_last_film_goes() -> None:
    data = draw_png()
    one, other = make_film(data=data), make_film(data=data)
    Film.objects.filter(id=one.id).delete()
    assert films.drop_unreferenced(one.sha256) is False
    assert films.load(one.sha256) == data
    Film.objects.filter(id=other.id).delete()
    assert films.drop_unreferenced(one.sha256) is True
    with pytest.raises(films.FilmMissing):
        films.load(one.sha256)
