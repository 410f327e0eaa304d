"""The reading view: film, layers, keys, signature, and its states."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from diagnosis import queue
from diagnosis.models import Analysis, Reading
from tests.accounts.factories import make_nurse, make_physician
from tests.browser.chromium import PHONE, READING_ROOM, WORKSTATION
from tests.diagnosis.factories import (
    claim,
    make_analysis,
    make_failure,
    make_film,
    make_outcome,
    make_refusal,
    make_result,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SignIn = Callable[[User], None]
# Painted, and at full depth where there is one.
SETTLED = "[data-viewer]:not([data-loading]) canvas[data-painted]"


def address_of(analysis: Analysis) -> str:
    return f"/films/{analysis.film_id}/"


def open_result(page: Page, signed_in: SignIn, user: User | None = None) -> Analysis:
    """Open the page of a film that was read, and wait until it is painted."""
    analysis = make_result()
    signed_in(user or make_physician())
    page.goto(address_of(analysis))
    page.wait_for_selector(SETTLED)
    return analysis


def pixels(page: Page) -> str:
    """What the canvas shows."""
    page.wait_for_timeout(80)
    return page.evaluate("document.querySelector('canvas').toDataURL()")


def test_a_finding_above_its_point_is_shown_though_it_is_no_top_three(
    page: Page, signed_in: SignIn
) -> None:
    open_result(page, signed_in)
    names = page.locator(".finding-list .finding-name").all_inner_texts()
    assert names[0].split() == ["▲", "Pneumothorax"]  # dangerous and marked, so first
    assert len(names) >= 3
    expect(page.locator(".finding-list")).to_contain_text("Marked from 0.15.")


def test_all_thirteen_findings_open_on_demand(page: Page, signed_in: SignIn) -> None:
    open_result(page, signed_in)
    page.get_by_text("All 13 findings").click()
    assert page.locator(".all-findings tbody tr").count() == 13


@pytest.mark.parametrize("size", [WORKSTATION, READING_ROOM], ids=["workstation", "reading room"])
def test_film_and_findings_need_no_scrolling(page: Page, signed_in: SignIn, size: Any) -> None:
    page.set_viewport_size(size)
    open_result(page, signed_in)
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for part in (".film-stage", ".finding-list", ".own", ".film-foot"):
        box = page.locator(part).bounding_box()
        assert box, part
        assert 0 <= box["y"] <= size["height"] - box["height"], part


def test_on_a_phone_the_film_comes_first_and_the_page_scrolls_down_only(
    page: Page, signed_in: SignIn
) -> None:
    page.set_viewport_size(PHONE)
    open_result(page, signed_in)
    film, findings = (page.locator(one).bounding_box() for one in (".film-stage", ".findings"))
    assert film
    assert findings
    assert film["y"] + film["height"] <= findings["y"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("key", "layer"),
    [("b", "boxes"), ("a", "attention"), ("u", "unet"), ("e", "reversed_ae"), ("l", "anatomy")],
)
def test_one_key_switches_each_layer(page: Page, signed_in: SignIn, key: str, layer: str) -> None:
    open_result(page, signed_in)
    button = page.locator(f"button[data-layer={layer}]")
    before, on = pixels(page), button.get_attribute("aria-pressed")
    page.keyboard.press(key)
    expect(button).to_have_attribute("aria-pressed", "false" if on == "true" else "true")
    if layer != "anatomy":  # the drawn test picture has no coloured outline
        assert pixels(page) != before
    page.keyboard.press(key)
    expect(button).to_have_attribute("aria-pressed", on or "false")
    assert pixels(page) == before


def test_words_on_the_film_are_written_in_the_pages_font(page: Page, signed_in: SignIn) -> None:
    open_result(page, signed_in)
    font = page.evaluate("document.querySelector('canvas').getContext('2d').font")
    assert "Hangul of xraydx" in font


def test_strength_and_colours_change_the_map_and_are_kept(page: Page, signed_in: SignIn) -> None:
    open_result(page, signed_in)
    page.keyboard.press("a")
    expect(page.locator("button[data-layer=attention]")).to_have_attribute("aria-pressed", "true")
    views = [pixels(page)]
    page.locator("[data-colours]").select_option("jet")
    views.append(pixels(page))
    page.locator("[data-strength]").fill("90")
    views.append(pixels(page))
    assert len(set(views)) == 3
    page.reload()
    page.wait_for_selector(SETTLED)
    assert page.locator("[data-strength]").input_value() == "90"
    expect(page.locator("[data-colours]")).to_have_value("jet")


def test_zoom_window_invert_and_reset(page: Page, signed_in: SignIn) -> None:
    open_result(page, signed_in)
    start = pixels(page)
    stage = page.locator("canvas").bounding_box()
    assert stage
    middle = (stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.wheel(0, -400)
    expect(page.locator("[data-zoom]")).not_to_have_text("100 %")
    page.mouse.down()
    page.mouse.move(middle[0] + 60, middle[1] + 40, steps=4)
    page.mouse.up()
    page.keyboard.press("i")
    expect(page.locator("[data-action=invert]")).to_have_attribute("aria-pressed", "true")
    assert pixels(page) != start
    page.keyboard.press("z")
    expect(page.locator("[data-zoom]")).to_have_text("100 %")
    assert pixels(page) == start


def test_single_keys_can_be_switched_off(page: Page, signed_in: SignIn) -> None:
    open_result(page, signed_in)
    page.locator(".keys-help summary").click()
    page.locator("[data-single-keys]").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("i")
    expect(page.locator("[data-action=invert]")).to_have_attribute("aria-pressed", "false")


def test_two_keys_agree_and_sign(page: Page, signed_in: SignIn) -> None:
    physician = make_physician()
    analysis = open_result(page, signed_in, physician)
    page.keyboard.press("g")
    page.keyboard.press("Enter")
    expect(page.locator(".own-signed")).to_contain_text("Agree")
    expect(page.locator(".own")).to_contain_text(str(physician))
    reading = Reading.objects.get(analysis=analysis)
    assert (reading.verdict, reading.signed_by) == ("agree", physician)


def test_a_nurse_sees_the_result_and_cannot_sign(page: Page, signed_in: SignIn) -> None:
    open_result(page, signed_in, make_nurse())
    expect(page.locator(".own")).to_contain_text("Not signed yet")
    assert page.locator("form[data-sign]").count() == 0


def test_a_refused_film_says_why_and_what_to_do(page: Page, signed_in: SignIn) -> None:
    analysis = make_refusal(reason="lateral")
    signed_in(make_physician())
    page.goto(address_of(analysis))
    findings = page.locator(".findings")
    expect(findings).to_contain_text("The film looks like a lateral view.")
    expect(findings).to_contain_text("Send the frontal (PA or AP) film")
    expect(findings).not_to_contain_text("failed")


def test_a_failed_reading_gives_its_number_and_can_be_repeated(
    page: Page, signed_in: SignIn, release: str
) -> None:
    analysis = make_failure()
    signed_in(make_physician())
    page.goto(address_of(analysis))
    expect(page.locator(".findings")).to_contain_text("a1b2c3d4")
    page.get_by_role("button", name="Read the film again").click()
    expect(page.locator("#reading")).to_have_attribute("data-state", "queued")


def test_the_page_shows_the_result_by_itself_and_then_stops_asking(
    page: Page, signed_in: SignIn
) -> None:
    analysis = make_analysis(make_film())
    signed_in(make_physician())
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address_of(analysis))
    expect(page.locator("#reading")).to_have_attribute("data-state", "queued")
    held = claim(analysis)
    queue.succeed(held, make_outcome(held))
    page.wait_for_selector("canvas[data-painted]")
    before = sum("/status/" in url for url in asked)
    page.wait_for_timeout(1500)
    assert sum("/status/" in url for url in asked) == before


def test_an_older_reading_can_be_opened_and_read_again_by_the_newer_release(
    page: Page, signed_in: SignIn, release: str
) -> None:
    analysis = open_result(page, signed_in)
    page.locator(".film-bar summary", has_text="Film").click()
    page.get_by_role("button", name="Read again with the newer release").click()
    expect(page.locator("#reading")).to_have_attribute("data-state", "queued")
    page.locator(".film-bar summary", has_text="Film").click()
    page.get_by_role("link", name=analysis.release).click()
    expect(page.locator("#reading")).to_have_attribute("data-state", "succeeded")
    assert Analysis.objects.filter(film=analysis.film).count() == 2


def test_nothing_moves_when_the_result_arrives(page: Page, signed_in: SignIn) -> None:
    page.add_init_script(
        """window.moved = 0;
        const add = list => list.getEntries().forEach(entry => { window.moved += entry.value; });
        new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });"""
    )
    analysis = make_analysis(make_film())
    signed_in(make_physician())
    page.goto(address_of(analysis))
    page.wait_for_timeout(500)
    held = claim(analysis)
    queue.succeed(held, make_outcome(held))
    page.wait_for_selector("canvas[data-painted]")
    page.wait_for_timeout(300)
    assert page.evaluate("window.moved") < 0.02


def test_a_waiting_reading_can_be_cancelled(page: Page, signed_in: SignIn) -> None:
    analysis = make_analysis(make_film())
    signed_in(make_physician())
    page.goto(address_of(analysis))
    page.get_by_role("button", name="Cancel this reading").click()
    expect(page.locator("#reading")).to_have_attribute("data-state", "cancelled")
