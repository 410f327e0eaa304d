"""Operating points of the site: what they do, and that films are read with them."""

import re
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from diagnosis import pipeline
from diagnosis.models import Finding
from diagnosis.selectors import current_release
from ml.vocabulary import NAMES
from policy import curves
from policy.models import SitePoint
from policy.selectors import site_points
from policy.services import activate_release, change_policy, set_points
from tests.accounts.factories import client_of, make_administrator
from tests.diagnosis.factories import claim, make_analysis
from xraydx.errors import UserError

thresholds = st.floats(0.0, 1.0)


class Shelf:
    """A release of one bundle whose classifier keeps these points."""

    def __init__(self, curve: list[list[float]]) -> None:
        spec = type("Spec", (), {"settings": {"curves": {"Mass": curve}}})
        self.bundles = {"classifier": type("Bundle", (), {"spec": spec})}


MEASURED: Any = Shelf([[0.1, 0.9, 0.4], [0.3, 0.7, 0.8], [0.6, 0.2, 0.97]])


@given(thresholds, thresholds, st.floats(0.01, 0.99))
def test_a_higher_threshold_finds_no_more_and_alerts_no_more(
    one: float, other: float, share: float
) -> None:
    low, high = (
        curves.effect_of(MEASURED, "Mass", at, prevalence=share) for at in sorted((one, other))
    )
    assert high.sensitivity <= low.sensitivity + 1e-9
    assert high.specificity >= low.specificity - 1e-9
    assert high.alerts_per_100 <= low.alerts_per_100 + 1e-9


def test_at_a_measured_point_the_figures_are_the_measured_ones() -> None:
    effect = curves.effect_of(MEASURED, "Mass", 0.3, prevalence=0.1)
    assert (effect.sensitivity, effect.specificity) == (0.7, 0.8)
    assert effect.alerts_per_100 == pytest.approx(100 * (0.07 + 0.18))
    between = curves.effect_of(MEASURED, "Mass", 0.2, prevalence=0.1)
    assert between.sensitivity == pytest.approx(0.8)


@pytest.mark.django_db
def test_new_films_are_read_with_the_points_of_the_site(tiny_release: str) -> None:
    admin = make_administrator()
    assert set_points(by=admin, release="tiny", thresholds={"Mass": 0.0, "Nodule": 1.0}) == 2
    assert set_points(by=admin, release="tiny", thresholds={"Mass": 0.0, "Nodule": 1.0}) == 0
    held = claim(make_analysis(release="tiny"))
    pipeline.run(held)
    found = {row.code: row for row in Finding.objects.filter(analysis_id=held.analysis_id)}
    assert found["Mass"].above
    assert not found["Nodule"].above
    assert (found["Mass"].threshold, found["Nodule"].threshold) == (0.0, 1.0)
    set_points(by=admin, release="tiny", thresholds={"Mass": None})
    assert site_points("tiny") == {"Nodule": 1.0}
    assert SitePoint.objects.count() == 3


@pytest.mark.django_db
def test_the_figures_are_shown_before_anything_is_saved(tiny_release: str) -> None:
    client = client_of(make_administrator())
    shown = client.post("/site/points/", {"Mass": "0.9"}).content.decode()
    assert "1 point would change" in shown
    assert not SitePoint.objects.exists()
    client.post("/site/points/", {"Mass": "0.9", "save": "1"})
    assert site_points("tiny") == {"Mass": 0.9}
    assert client.post("/site/points/", {"Mass": "2", "save": "1"}).status_code == 422


@pytest.mark.django_db
def test_nobody_saves_points_over_those_of_somebody_else(tiny_release: str) -> None:
    client = client_of(make_administrator())
    shown = dict(re.findall(r'name="(release|after)" value="(\w+)"', points_page(client)))
    assert shown == {"release": "tiny", "after": "0"}
    set_points(by=make_administrator(), release="tiny", thresholds={"Nodule": 0.8})
    late = client.post("/site/points/", {**shown, "Mass": "0.9", "save": "1"})
    assert late.status_code == 409
    assert site_points("tiny") == {"Nodule": 0.8}
    other = client.post("/site/points/", {"release": "older", "Mass": "0.9", "save": "1"})
    assert other.status_code == 409
    shown = dict(re.findall(r'name="(release|after)" value="(\w+)"', points_page(client)))
    sent = {**shown, "Nodule": "0.8", "Mass": "0.9", "save": "1"}
    assert client.post("/site/points/", sent).status_code == 302
    assert site_points("tiny") == {"Nodule": 0.8, "Mass": 0.9}


def points_page(client: Client) -> str:
    return client.get("/site/points/").content.decode()


@pytest.mark.django_db
def test_a_release_is_chosen_and_left_again(tiny_release: str) -> None:
    admin = make_administrator()
    with pytest.raises(UserError):
        activate_release(by=admin, release="none", version=0)
    activate_release(by=admin, release="tiny", version=0)
    assert current_release() == "tiny"
    change_policy(by=admin, version=1, release="gone")
    with pytest.raises(UserError):
        current_release()
    activate_release(by=admin, release="", version=2)
    assert current_release() == "tiny"


@pytest.mark.django_db
def test_the_rules_page_saves_what_it_shows(tiny_release: str) -> None:
    client = client_of(make_administrator())
    sent = {"version": 0, "max_wait_minutes": 45, "aged_level": 3, "danger_Mass": 1}
    sent |= {"muted_Nodule": "on", "level_Mass": 2, "from_Mass": "0.4", "share_Mass": "7.5"}
    assert client.post("/site/", sent).status_code == 302
    text = client.get("/site/").content.decode()
    assert 'name="share_Mass" value="7.5"' in text
    assert 'name="from_Mass" value="0.4"' in text
    assert client.post("/site/", sent | {"max_wait_minutes": 46}).status_code == 409
    assert client.post("/site/", sent | {"version": 1, "from_Mass": "3"}).status_code == 422
    assert set(NAMES) >= {"Mass", "Nodule"}


@pytest.mark.django_db
def test_wrong_rules_are_named_by_finding_and_column(tiny_release: str) -> None:
    client = client_of(make_administrator())
    sent = {"version": 0, "max_wait_minutes": 45, "aged_level": 3, "danger_Mass": 99}
    answer = client.post("/site/", sent | {"from_Pleural_Thickening": "x"})
    text = answer.content.decode()
    assert answer.status_code == 422
    assert '<a href="#id_danger_Mass">Mass, Shown first, in order</a>' in text
    assert ">Pleural thickening, From probability</a>: Enter a number." in text
    assert 'id="id_danger_Mass" name="danger_Mass"' in text


@pytest.mark.django_db
def test_a_wrong_point_is_said_to_be_wrong_where_it_stands(tiny_release: str) -> None:
    client = client_of(make_administrator())
    asked = {"release": tiny_release, "Mass": "abc", "look": "1"}
    answer = client.post("/site/points/", asked, headers={"HX-Request": "true"})
    text = answer.content.decode()
    assert answer.status_code == 422
    assert 'id="fault-Mass">Enter a number.</span>' in text
    assert "Correct the marked numbers first" in text
    assert "Nothing is changed yet" not in text
