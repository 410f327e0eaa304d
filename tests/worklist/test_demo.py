"""The demonstration's shift, played in full by the services that people use."""

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from diagnosis.models import Analysis, Film, Reading
from patients.models import Patient
from tests.accounts.factories import make_physician
from tests.diagnosis.tiny_release import tiny_release, tiny_weights  # noqa: F401
from tests.patients.factories import make_patient
from worklist import demo
from worklist.cast import GUESTS
from worklist.models import Hold
from worklist.selectors import queue_for

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("tiny_release")]


def test_a_shift_has_patients_films_results_and_signed_readings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(demo, "SIDE_PX", 256)
    said: list[str] = []
    guests = GUESTS[:3] + GUESTS[4:5] + GUESTS[20:22]
    assert demo.play(say=said.append, guests=guests) == Film.objects.count() == 8
    assert Patient.objects.count() == len(guests)
    assert not Analysis.objects.filter(finished_at=None).exists()
    waits = [item.waiting.since for item in queue_for(make_physician()).items]
    assert len(waits) >= 3
    assert (max(waits) - min(waits)).total_seconds() > 60
    read = Analysis.objects.filter(status="succeeded").exists()
    assert Reading.objects.exists() == read
    assert Hold.objects.exists()
    names = demo.give_passwords("quartz-lamp-river-9")
    assert User.objects.get(username=names[0]).check_password("quartz-lamp-river-9")


def test_invented_patients_never_come_among_real_ones() -> None:
    make_patient()
    with pytest.raises(CommandError, match="patients already"):
        call_command("demo")
    assert not User.objects.filter(username__startswith="demo.").exists()
