"""Drift: an alarm that a shift trips and chance does not."""

import random

import pytest
from django.core.management import call_command
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.models import Analysis, Film, Finding
from ml.vocabulary import NAMES
from quality.drift import ALARM, FEWEST, State, deciles_of, drift_of
from quality.selectors import drift
from tests.accounts.factories import make_radiologist
from tests.diagnosis.factories import RELEASE, make_film
from tests.quality.conftest import EVENLY


@given(st.lists(st.floats(-1e6, 1e6), min_size=FEWEST, max_size=FEWEST + 50))
def test_a_set_never_drifts_from_itself_by_much_unless_it_holds_one_value_often(
    values: list[float],
) -> None:
    deciles = deciles_of(values)
    found = drift_of("abnormal", values, deciles)
    assert sum(found.shares) == pytest.approx(1)
    if len(set(deciles)) == len(deciles) and len(set(values)) == len(values):
        assert found.state is State.STEADY


@pytest.mark.parametrize("seed", range(20))
def test_chance_trips_no_alarm(seed: int) -> None:
    draw = random.Random(seed)
    values = [draw.random() for _ in range(FEWEST)]
    assert drift_of("abnormal", values, EVENLY).state is State.STEADY


def test_a_shift_trips_the_alarm() -> None:
    draw = random.Random(1)
    values = [min(1.0, draw.random() * 0.6 + 0.4) for _ in range(FEWEST)]
    found = drift_of("abnormal", values, EVENLY)
    assert found.state is State.DRIFTED
    assert found.index is not None
    assert found.index > ALARM


def test_a_few_films_say_nothing() -> None:
    assert drift_of("abnormal", [0.99] * (FEWEST - 1), EVENLY).state is State.TOO_FEW


def read_many(*, shifted: bool) -> None:
    """Store FEWEST readings whose values are spread evenly, abnormal shifted up where asked."""
    film = make_film()
    draw = random.Random(3)
    now = timezone.now()
    films = Film.objects.bulk_create(
        Film(
            study=film.study,
            visit=film.visit,
            patient=film.patient,
            sha256=f"{number:064x}",
            size=1,
            format="png",
            width=1,
            height=1,
            uploaded_by=film.uploaded_by,
        )
        for number in range(FEWEST)
    )
    rows = Analysis.objects.bulk_create(
        Analysis(
            film=each,
            release=RELEASE,
            status="succeeded",
            finished_at=now,
            abnormal=draw.random() ** (0.2 if shifted else 1),
            anatomy={"lung_fraction": draw.random()},
        )
        for each in films
    )
    Finding.objects.bulk_create(
        Finding(
            analysis=row,
            code=code,
            probability=draw.random(),
            threshold=0.5,
            above=False,
            rank=rank,
        )
        for row in rows
        for rank, code in enumerate(NAMES, 1)
    )


@pytest.mark.django_db
@pytest.mark.usefixtures("even_reference")
def test_films_that_look_otherwise_trip_the_alarm_and_the_command() -> None:
    read_many(shifted=True)
    report = drift(make_radiologist(), RELEASE)
    assert [one.quantity for one in report.alarms] == ["abnormal"]


@pytest.mark.django_db
@pytest.mark.usefixtures("even_reference")
def test_films_like_those_of_the_reference_trip_nothing() -> None:
    read_many(shifted=False)
    report = drift(make_radiologist(), RELEASE)
    assert report.films == FEWEST
    assert report.alarms == []
    assert {one.state for one in report.drifts or []} == {State.STEADY}


@pytest.mark.django_db
@pytest.mark.usefixtures("even_reference")
def test_the_command_ends_with_one_on_an_alarm(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from quality.management.commands import check_drift

    monkeypatch.setattr(check_drift, "current_release", lambda: RELEASE)
    call_command("check_drift")
    read_many(shifted=True)
    with pytest.raises(SystemExit) as ended:
        call_command("check_drift")
    assert ended.value.code == 1
    assert "abnormal: index" in capsys.readouterr().out


@pytest.mark.django_db
def test_a_release_without_a_reference_is_told_so() -> None:
    assert drift(make_radiologist(), "nobody-measured").drifts is None
