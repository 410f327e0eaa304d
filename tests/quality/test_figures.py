"""Times, agreement, refusals, discrepancies."""

import csv
import io
from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import Entry
from diagnosis.models import Analysis, Reading
from diagnosis.services import sign_reading
from quality.selectors import agreement, differs, discrepancies, period
from tests.accounts.factories import client_of, make_nurse, make_physician, make_radiologist
from tests.diagnosis.factories import make_failure, make_refusal, make_result
from xraydx.errors import Forbidden

pytestmark = pytest.mark.django_db


def timed(analysis: Analysis, *, result_s: int, sign_min: int | None = None) -> Analysis:
    """Have the analysis take so long, and its signature after it."""
    began = timezone.now() - timedelta(hours=3)
    finished = began + timedelta(seconds=result_s)
    Analysis.objects.filter(pk=analysis.pk).update(created_at=began, finished_at=finished)
    if sign_min is not None:
        sign_reading(analysis=analysis, by=make_physician(), findings={"Effusion": "agree"})
        signed = finished + timedelta(minutes=sign_min)
        Reading.objects.filter(analysis=analysis).update(signed_at=signed)
    return analysis


def test_times_are_medians_and_nine_of_ten_over_the_period() -> None:
    for seconds, minutes in ((2, 5), (4, 15), (30, None)):
        timed(make_result(), result_s=seconds, sign_min=minutes)
    whole = period(make_radiologist(), 7).whole
    assert (whole.films, whole.signed) == (3, 2)
    assert (whole.result_s, whole.result_p90_s) == (4, 30)
    assert (whole.sign_min, whole.sign_p90_min) == (10, 15)


def test_every_day_of_the_period_has_its_place() -> None:
    timed(make_result(), result_s=2)
    days = period(make_radiologist(), 7).days
    assert len(days) == 7
    assert days[-1].day == timezone.localdate()
    assert sum(day.films for day in days) in {0, 1}


def test_refusals_are_counted_by_reason_and_failures_apart() -> None:
    for reason in ("lateral", "lateral", "cropped"):
        make_refusal(reason=reason)
    make_failure()
    found = period(make_radiologist(), 7)
    assert found.refusals == [("lateral", 2), ("cropped", 1)]
    assert found.failed == 1


def test_agreement_counts_the_last_version_and_what_was_missed() -> None:
    analysis, physician = make_result(), make_physician()
    sign_reading(analysis=analysis, by=physician, findings={"Effusion": "agree"})
    verdicts = {"Effusion": "disagree", "Pneumothorax": "unsure"}
    last = sign_reading(analysis=analysis, by=physician, findings=verdicts)
    Reading.objects.filter(pk=last.pk).update(added=[{"code": "Mass", "words": "", "box": None}])
    rows = {row.code: row for row in period(make_radiologist(), 7).agreement}
    assert (rows["Effusion"].agree, rows["Effusion"].disagree) == (0, 1)
    assert rows["Pneumothorax"].unsure == 1
    assert (rows["Mass"].judged, rows["Mass"].missed) == (0, 1)
    assert agreement([]) == []


def test_a_discrepancy_is_a_disagreement_or_something_missed() -> None:
    agreed = sign_reading(
        analysis=make_result(), by=make_physician(), findings={"Effusion": "agree"}
    )
    other = sign_reading(
        analysis=make_result(), by=make_physician(), findings={"Effusion": "disagree"}
    )
    assert (differs(agreed), differs(other)) == (False, True)
    assert list(discrepancies(make_radiologist(), 7)) == [other]


def test_the_export_names_nobody() -> None:
    analysis = make_result()
    sign_reading(analysis=analysis, by=make_physician(), findings={"Effusion": "disagree"})
    client = client_of(make_radiologist())
    text = client.post("/quality/discrepancies/export/").content.decode()
    (line,) = csv.DictReader(io.StringIO(text))
    assert (line["finding"], line["kind"], line["film"]) == (
        "Effusion",
        "disagree",
        str(analysis.film_id),
    )
    patient = analysis.film.patient
    assert patient.mrn not in text
    assert patient.given_name not in text
    assert Entry.objects.filter(action="quality.export").exists()


def test_nurses_see_no_figures() -> None:
    with pytest.raises(Forbidden):
        period(make_nurse(), 7)


def test_the_page_stands_without_anything_to_show() -> None:
    text = client_of(make_radiologist()).get("/quality/").content.decode()
    assert "No signed readings in this period" in text
    assert "No film was refused in this period" in text
