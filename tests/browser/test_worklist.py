"""The worklist in a browser: keys alone, two people at once, values that change in place."""

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from diagnosis.models import Analysis, Film
from diagnosis.states import Status
from tests.accounts.factories import make_physician, make_radiologist
from tests.browser.chromium import PHONE, READING_ROOM, WORKSTATION
from tests.browser.conftest import enter
from tests.diagnosis.factories import make_analysis, make_film, make_result
from tests.patients.factories import make_patient, make_visit
from worklist.models import Hold

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def named(family: str, **visit: Any) -> Any:
    return make_film(make_visit(make_patient(family_name=family, given_name="Ara"), **visit))


def test_keys_alone_move_take_release_search_and_open(page: Page, signed_in: Any) -> None:
    films = [make_result(named(family)).film for family in ("Kim", "Park", "Vo")]
    signed_in(make_physician())
    page.goto("/worklist/")
    for key in ("j", "j", "k", "j", "t"):
        page.keyboard.press(key)
    mine = page.locator(".wl-holder.is-mine")
    expect(mine).to_have_count(1)
    assert Hold.objects.get().study_id == films[1].study_id
    expect(page.locator("#count-mine")).to_have_text("1")
    page.keyboard.press("r")
    expect(mine).to_have_count(0)
    page.keyboard.press("?")
    expect(page.locator("#wl-help .menu-body")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("vo")
    page.keyboard.press("Enter")
    expect(page.locator(".wl-table tbody tr")).to_have_count(1)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/films/{films[2].id}/")


def test_who_switched_single_keys_off_takes_nothing_by_a_letter(page: Page, signed_in: Any) -> None:
    make_result(named("Kim"))
    signed_in(make_physician())
    page.goto("/worklist/")
    page.locator("#wl-help summary").click()
    page.locator("#wl-help [data-single-keys]").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    for key in ("j", "t", "ArrowDown", "t"):
        page.keyboard.press(key)
    expect(page.locator("tr.is-current")).to_have_count(1)
    page.locator("#wl-help summary").click()
    expect(page.locator("#wl-help [data-single-keys]")).not_to_be_checked()
    assert not Hold.objects.exists()


def test_of_two_people_on_one_study_the_second_is_told_and_can_take_over(
    page: Page, chromium: Browser, live_server: Any, signed_in: Any
) -> None:
    make_result(named("Kim"))
    signed_in(make_physician(full_name="Park Jin"))
    page.goto("/worklist/")
    other = chromium.new_context(base_url=live_server.url, viewport=WORKSTATION)
    radiologist = make_radiologist(full_name="Cho Min")
    enter(other, radiologist, live_server.url)
    second = other.new_page()
    second.goto("/worklist/")
    page.get_by_role("button", name="take", exact=True).click()
    expect(page.locator(".wl-holder")).to_have_text("you")
    second.get_by_role("button", name="take", exact=True).click()
    expect(second.locator("#worklist-say")).to_contain_text("Park Jin took this study at")
    expect(second.locator(".wl-holder")).to_have_text("Park Jin")
    second.get_by_role("button", name="take over").click()
    expect(second.locator(".wl-holder")).to_have_text("you")
    assert Hold.objects.get().user == radiologist
    expect(page.locator(".wl-holder")).to_have_text("Cho Min", timeout=8000)
    other.close()


def test_values_change_in_place_and_new_films_wait_in_the_bar(page: Page, signed_in: Any) -> None:
    first = make_result(named("Kim")).film
    waiting = named("Vo")
    analysis = make_analysis(waiting, status=Status.CANCELLED, finished_at=waiting.uploaded_at)
    signed_in(make_physician())
    page.goto("/worklist/")
    names = page.locator(".wl-name .row-link")
    expect(names).to_have_count(2)
    page.keyboard.press("j")
    place = page.locator(f"#row-{first.study_id}").bounding_box()
    Analysis.objects.filter(id=analysis.id).delete()
    make_result(waiting)
    make_result(named("Park", triage_level=1))
    page.locator("[data-show]").wait_for(timeout=8000)
    expect(page.locator("[data-show]")).to_have_text("1 new film – show")
    changed = page.locator(f"#row-{waiting.study_id}")
    expect(changed.locator(".state")).to_have_text("read")
    expect(changed.locator(".mark-raised")).to_be_visible()
    assert page.title().startswith("(▲2)")
    expect(names).to_have_count(2)
    assert page.locator(f"#row-{first.study_id}").bounding_box() == place
    assert "is-current" in (page.locator(f"#row-{first.study_id}").get_attribute("class") or "")
    page.keyboard.press("s")
    expect(names).to_have_count(3)
    expect(names.last).to_have_text("Park, Ara")


def test_fifteen_studies_stand_on_a_workstation_and_nothing_runs_off_any_screen(
    page: Page, signed_in: Any
) -> None:
    aged = make_result(named("Papadopoulos-Konstantinou")).film
    Film.objects.filter(pk=aged.pk).update(uploaded_at=aged.uploaded_at - timedelta(hours=3))
    for number in range(16):
        make_analysis(named(f"Kim {number}"))
    signed_in(make_physician())
    page.goto("/worklist/")
    box = page.locator(".wl-table tbody tr").nth(14).bounding_box()
    assert box is not None
    assert box["height"] <= 41
    assert box["y"] + box["height"] <= WORKSTATION["height"]
    for size in (WORKSTATION, READING_ROOM, PHONE):
        page.set_viewport_size(size)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), size
