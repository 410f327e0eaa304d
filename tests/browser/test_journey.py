"""From sign-in to a signed reading, with a mouse, with keys alone, and on a phone."""

import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from diagnosis.models import Reading
from tests.accounts.factories import PASSWORD, make_physician
from tests.browser.chromium import PHONE
from tests.diagnosis.factories import draw_png

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FAMILY, GIVEN, MRN, BORN = "Zwiebelmann", "Quirina", "MRN-77120933", "1961-07-23"
COMPLAINT = "Xiphodynia since dawn"
PATIENT_VALUES = [FAMILY, GIVEN, MRN, "77120933", BORN, "Xiphodynia"]


def sign_in(page: Page, username: str) -> None:
    page.goto("/sign-in/")
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Worklist")


def register(page: Page) -> None:
    page.get_by_role("link", name="Register", exact=True).click()
    page.get_by_label("MRN").fill(MRN)
    page.get_by_label("Family name").fill(FAMILY)
    page.get_by_label("Given name").fill(GIVEN)
    page.get_by_label("Birth date").fill(BORN)
    page.get_by_label("Female").check()
    page.locator("[name=triage_level][value='2']").check()
    page.get_by_label("Chief complaint").fill(COMPLAINT)
    page.get_by_role("button", name="Register and open the visit").click()
    expect(page.locator("h1")).to_contain_text(FAMILY)


def send_film(page: Page, folder: Path) -> None:
    film = folder / f"{FAMILY}.png"  # a file's name is often the patient's
    film.write_bytes(draw_png())
    page.set_input_files("input[type=file]", film)
    page.wait_for_url(re.compile("/films/[0-9a-f-]{36}/$"))


def values_in(texts: list[str]) -> list[str]:
    """The patient's values that stand in any of the texts."""
    return [value for value in PATIENT_VALUES if any(value in text for text in texts)]


def test_from_sign_in_to_a_signed_reading_without_a_patient_value_in_address_or_log(
    page: Page,
    tmp_path: Path,
    read_films: Callable[[], int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    physician = make_physician()
    sign_in(page, physician.username)
    register(page)
    send_film(page, tmp_path)
    assert read_films() == 1
    page.wait_for_selector("canvas[data-painted]")
    assert FAMILY not in page.title()
    page.locator(".judge").first.get_by_text("Disagree").click()
    page.get_by_label("Report").fill("Skin fold.")
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.locator(".own-signed")).to_contain_text("Skin fold.")
    page.locator(".film-bar h1 a").click()
    expect(page.locator(".film-card")).to_contain_text(re.compile("Disagree|Read"))
    page.goto("/patients/")
    page.locator("main [type=search], main [name=text]").first.fill(MRN)
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("link", name=re.compile(FAMILY))).to_be_visible()
    assert Reading.objects.get().verdict == "disagree"
    assert len(addresses) > 20
    assert values_in(addresses) == []
    logged = [str(record.__dict__) + record.getMessage() for record in caplog.records]
    assert any("xraydx.access" in line for line in logged)
    assert values_in([line for line in logged if "django.db.backends" not in line]) == []


def test_keys_alone_sign_a_reading(
    page: Page, tmp_path: Path, read_films: Callable[[], int]
) -> None:
    physician = make_physician()
    sign_in(page, physician.username)
    register(page)
    send_film(page, tmp_path)
    read_films()
    page.wait_for_selector("canvas[data-painted]")
    for key in ("a", "i", "z", "d"):
        page.keyboard.press(key)
    focused = page.evaluate("document.activeElement.textContent.trim()")
    assert focused == "Sign"
    page.keyboard.press("Enter")
    expect(page.locator(".own-signed")).to_contain_text("Disagree")
    assert Reading.objects.get().signed_by == physician


def test_on_a_phone_a_film_is_sent_and_read(
    page: Page, tmp_path: Path, read_films: Callable[[], int]
) -> None:
    page.set_viewport_size(PHONE)
    sign_in(page, make_physician().username)
    register(page)
    send_film(page, tmp_path)
    read_films()
    page.wait_for_selector("canvas[data-painted]")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Agree with all").click()
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.locator(".own")).to_contain_text("Agree ·")
