"""Signing off in the browser: keys, a missed finding, first look, a lost line, two people."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from accounts.models import User
from diagnosis import readings
from diagnosis.models import Analysis, FirstLook, Reading
from tests.accounts.factories import make_physician
from tests.browser.chromium import WORKSTATION
from tests.browser.conftest import enter
from tests.diagnosis.factories import findings_with, make_film, make_result

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SignIn = Callable[[User], None]


def open_film(page: Page, analysis: Analysis) -> None:
    page.goto(f"/films/{analysis.film_id}/")
    page.wait_for_selector("canvas[data-painted]")


def test_with_keys_alone_finding_by_finding(page: Page, signed_in: SignIn) -> None:
    analysis, physician = make_result(), make_physician()
    signed_in(physician)
    open_film(page, analysis)
    for key in ("j", "a", "u", "Enter"):  # the first, agree; the next, unsure; sign
        page.keyboard.press(key)
    expect(page.locator(".own-signed")).to_contain_text("Final")
    reading = Reading.objects.get(analysis=analysis)
    assert reading.findings == {"Pneumothorax": "agree", "Effusion": "unsure"}
    assert (reading.verdict, reading.signed_by) == ("unsure", physician)
    assert "Findings: Pneumothorax." in reading.report
    assert "Possible: Effusion." in reading.report


MANY = {
    "Pneumothorax": 0.62,
    "Effusion": 0.31,
    "Atelectasis": 0.6,
    "Infiltration": 0.5,
    "Mass": 0.45,
    "Edema": 0.44,
    "Fibrosis": 0.43,
}


def test_a_film_with_seven_marks_is_signed_by_four_keys(page: Page, signed_in: SignIn) -> None:
    analysis = make_result(findings=findings_with(MANY))
    signed_in(make_physician())
    open_film(page, analysis)
    expect(page.locator("[data-judge-group]")).to_contain_text("4 less probable ones")
    for key in ("j", "d", "g", "Enter"):  # not the first; agree with the rest; sign
        page.keyboard.press(key)
    expect(page.locator(".own-signed")).to_contain_text("Final")
    said = Reading.objects.get(analysis=analysis).findings
    assert said.pop("Pneumothorax") == "disagree"
    assert said == dict.fromkeys(set(MANY) - {"Pneumothorax"}, "agree")


def test_less_probable_findings_are_judged_together_or_one_by_one(
    page: Page, signed_in: SignIn
) -> None:
    analysis = make_result(findings=findings_with(MANY))
    signed_in(make_physician())
    open_film(page, analysis)
    group = page.locator("[data-judge-group]")
    group.get_by_text("Disagree").click()
    assert page.locator(".judge-lesser input[value=disagree]:checked").count() == 4
    page.locator(".judge-lesser summary").click()
    page.locator("[data-judge=Mass]").get_by_text("Agree", exact=True).click()
    assert group.locator("input:checked").count() == 0
    expect(page.locator("[data-agree-words]")).to_have_text("Agree with the rest")
    page.keyboard.press("a")  # no finding is chosen by a key: the map
    expect(page.locator("button[data-layer=attention]")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Agree with the rest").click()
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.locator(".own-signed")).to_contain_text("Final")
    said = Reading.objects.get(analysis=analysis).findings
    assert (said["Mass"], said["Fibrosis"], said["Pneumothorax"]) == ("agree", "disagree", "agree")
    assert "lesser" not in said


def test_a_missed_finding_is_drawn_on_the_film_and_the_report_edited(
    page: Page, signed_in: SignIn
) -> None:
    analysis = make_result()
    signed_in(make_physician())
    open_film(page, analysis)
    page.keyboard.press("m")
    page.locator("[data-add-code]").select_option("Nodule")
    page.get_by_role("button", name="Draw its box").click()
    stage = page.locator("canvas").first.bounding_box()
    assert stage
    x, y = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 50, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("[data-added-list]")).to_contain_text("Nodule")
    expect(page.locator("[data-report]")).to_have_value(re.compile("Findings: Nodule"))
    page.get_by_role("button", name="Agree with all").click()
    page.locator("[data-report]").fill("Small nodule, left. Effusion, right.")
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.locator(".own-signed")).to_contain_text("Small nodule, left.")
    reading = Reading.objects.get(analysis=analysis)
    [item] = reading.added
    assert item["code"] == "Nodule"
    assert 0.4 < item["box"][0] < item["box"][2] < 0.8
    assert reading.verdict == "disagree"


def test_escape_leaves_the_box_and_then_closes_what_was_missed(
    page: Page, signed_in: SignIn
) -> None:
    analysis = make_result()
    signed_in(make_physician())
    open_film(page, analysis)
    page.keyboard.press("m")
    page.get_by_role("button", name="Draw its box").click()
    page.keyboard.press("Escape")
    expect(page.locator("[data-add-box]")).to_be_focused()
    expect(page.locator("[data-add-box]")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Escape")
    expect(page.locator(".add-missed summary")).to_be_focused()
    expect(page.locator("[data-add-code]")).to_be_hidden()


def test_a_lost_line_in_mid_sign_off_loses_nothing(
    context: BrowserContext, signed_in: SignIn
) -> None:
    analysis = make_result()
    signed_in(make_physician())
    page = context.new_page()  # one whose errors are meant: requests that reach nobody
    open_film(page, analysis)
    page.keyboard.press("g")
    page.locator("[data-report]").fill("Effusion on the right, drained before.")
    context.set_offline(True)
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.locator("[data-not-sent]")).to_be_visible()
    assert not Reading.objects.exists()
    context.set_offline(False)
    page.reload()  # even a page that is loaded anew has it back
    page.wait_for_selector("canvas[data-painted]")
    expect(page.locator("[data-kept]")).to_be_visible()
    expect(page.locator("[data-report]")).to_have_value("Effusion on the right, drained before.")
    assert page.locator("input[value=agree]:checked").count() == 2
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.locator(".own-signed")).to_contain_text("drained before")
    assert page.evaluate("Object.keys(sessionStorage).filter(k => k.includes('draft'))") == []
    assert page.evaluate("JSON.stringify(localStorage)").find("drained") == -1


def test_the_networks_reading_waits_for_the_first_look(page: Page, signed_in: SignIn) -> None:
    analysis, physician = make_result(), make_physician()
    readings.choose_first_look(by=physician, hide=True)
    signed_in(physician)
    open_film(page, analysis)
    expect(page.locator(".first-look")).to_be_visible()
    assert page.locator(".finding-list, [data-box], button[data-layer]").count() == 0
    page.get_by_label("Something is there").check()
    page.get_by_label("Effusion").check()
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator(".finding-list")).to_contain_text("Pneumothorax")
    expect(page.locator(".own")).to_contain_text("Something is there")
    look = FirstLook.objects.get(analysis=analysis)
    assert (look.impression, look.codes) == ("abnormal", ["Effusion"])


def test_two_people_on_one_film_are_told_and_none_signs_over_the_other(
    page: Page, signed_in: SignIn, chromium: Browser, live_server: Any
) -> None:
    analysis = make_result()
    kim, park = make_physician(full_name="Dr Kim"), make_physician(full_name="Dr Park")
    signed_in(kim)
    open_film(page, analysis)
    page.wait_for_timeout(1500)  # the page says that it is open
    other = chromium.new_context(base_url=live_server.url, viewport=WORKSTATION)
    enter(other, park, live_server.url)
    second = other.new_page()
    open_film(second, analysis)
    expect(second.locator("#others")).to_contain_text("Dr Kim has this film open, too")
    page.keyboard.press("g")
    page.keyboard.press("Enter")
    expect(page.locator(".own-signed")).to_be_visible()
    second.locator("[data-report]").fill("No, an old scar.")
    second.keyboard.press("Escape")
    second.get_by_role("button", name="Agree with all").click()
    second.get_by_role("button", name="Sign", exact=True).click()
    expect(second.locator(".own")).to_contain_text("Somebody else has signed a reading")
    expect(second.locator(".own")).to_contain_text("Dr Kim")
    expect(second.locator("[data-report]")).to_have_value("No, an old scar.")
    second.get_by_role("button", name="Sign", exact=True).click()
    expect(second.locator(".own-signed").first).to_contain_text("Final, version 2")
    assert Reading.objects.filter(analysis=analysis).count() == 2
    other.close()


def test_an_earlier_film_stands_beside_and_is_blended(page: Page, signed_in: SignIn) -> None:
    before = make_result()
    analysis = make_result(make_film(before.film.visit))
    signed_in(make_physician())
    open_film(page, analysis)
    alone = picture(page)
    page.keyboard.press("p")
    expect(page.locator(".prior-words")).to_contain_text("Marked on both: Effusion, Pneumothorax.")
    page.wait_for_selector(".prior-stage canvas[data-painted]")
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    page.get_by_role("button", name="Blended").click()
    expect(page.locator(".prior-stage")).to_have_count(0)
    page.wait_for_timeout(400)
    blended = picture(page)
    page.locator("[data-blend]").fill("100")
    page.wait_for_timeout(200)
    assert len({alone, blended, picture(page)}) == 3
    page.keyboard.press("p")
    expect(page.locator(".prior")).to_have_count(0)


def picture(page: Page) -> str:
    """What the film's own canvas shows."""
    return page.evaluate("document.querySelector('.film-stage:last-child canvas').toDataURL()")
