"""A release that runs silently beside the active one."""

import pytest
from django.core.management import call_command

from diagnosis import queue
from diagnosis.models import Analysis
from diagnosis.services import sign_reading
from policy.services import change_policy, choose_shadow
from quality.models import ShadowReading
from quality.shadow import compare, is_busy, read_waiting
from tests.accounts.factories import (
    client_of,
    make_administrator,
    make_physician,
    make_radiologist,
)
from tests.diagnosis.factories import (
    draw_png,
    make_analysis,
    make_film,
    make_refusal,
    make_result,
)
from tests.diagnosis.tiny_release import tiny_release, tiny_weights  # noqa: F401
from xraydx.errors import UserError

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("tiny_release")]


def test_the_silent_release_reads_what_the_active_one_read_once_and_leaves_it_as_it_is() -> None:
    analysis = make_result(make_film(data=draw_png(1)))
    make_refusal()
    before = Analysis.objects.values().get(pk=analysis.pk)
    assert read_waiting() == 0
    choose_shadow(by=make_administrator(), release="tiny", version=0)
    call_command("run_shadow", once=True)
    assert ShadowReading.objects.count() == 2
    assert read_waiting() == 0
    shadow = ShadowReading.objects.get(analysis=analysis)
    assert len(shadow.probabilities) == len(shadow.thresholds) == 13
    assert Analysis.objects.values().get(pk=analysis.pk) == before
    assert Analysis.objects.count() == 2


def test_films_of_people_come_first() -> None:
    make_result(make_film(data=draw_png(1)))
    make_result(make_film(data=draw_png(2)))
    choose_shadow(by=make_administrator(), release="tiny", version=0)
    waiting = make_analysis(make_film(data=draw_png(3)))
    assert is_busy()
    assert read_waiting() == 0
    queue.cancel(waiting.id)
    assert read_waiting() == 2
    assert ShadowReading.objects.count() == 2


def test_between_two_films_it_looks_whether_somebody_waits() -> None:
    for seed in (1, 2):
        make_result(make_film(data=draw_png(seed)))
    choose_shadow(by=make_administrator(), release="tiny", version=0)
    answers = iter([False, True])
    assert read_waiting(stop=lambda: next(answers)) == 1
    assert ShadowReading.objects.count() == 1


def test_both_are_compared_finding_by_finding_and_with_what_people_said() -> None:
    analysis = make_result()
    verdicts = {"Pneumothorax": "disagree", "Effusion": "agree"}
    sign_reading(analysis=analysis, by=make_physician(), findings=verdicts)
    change_policy(by=make_administrator(), version=0, shadow_release="tiny")
    ShadowReading.objects.create(
        analysis=analysis,
        release="tiny",
        probabilities={"Effusion": 0.9, "Mass": 0.8, "Pneumothorax": 0.1},
        thresholds={"Effusion": 0.5, "Mass": 0.5, "Pneumothorax": 0.5},
    )
    found = compare(make_radiologist())
    assert found is not None
    rows = {row.code: row for row in found.findings}
    assert (rows["Effusion"].both, rows["Mass"].active, rows["Mass"].shadow) == (1, 0, 1)
    assert (rows["Pneumothorax"].judged_active, rows["Pneumothorax"].right_active) == (1, 0)
    assert rows["Pneumothorax"].shadow == 0
    text = client_of(make_radiologist()).get("/quality/shadow/").content.decode()
    assert "Mass" in text


def test_only_a_whole_release_runs_silently() -> None:
    with pytest.raises(UserError):
        choose_shadow(by=make_administrator(), release="none", version=0)
    assert compare(make_radiologist()) is None
