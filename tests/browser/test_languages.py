"""Switching the language in a browser."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.roles import Role
from tests.access.english import english_in
from tests.accounts.factories import make_user
from tests.browser.chromium import PHONE
from tests.diagnosis.factories import make_result
from tests.patients.factories import make_visit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("release"),
]
SignIn = Callable[[User], None]
# What a person sees: each line of the page as it is drawn.
LINES = "document.body.innerText.split(/\\n|\\t/).map(line => line.trim()).filter(Boolean)"
TOO_WIDE = "document.documentElement.scrollWidth > window.innerWidth"


def switch(page: Page, name: str) -> None:
    """Choose a language in the top bar."""
    page.locator(".menu-language > summary").click()
    page.locator(".menu-language").get_by_role("button", name=name).click()


def test_a_language_is_chosen_before_the_sign_in(page: Page) -> None:
    page.goto("/sign-in/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    switch(page, "한국어")
    expect(page.get_by_role("heading", level=1)).to_have_text("로그인")
    expect(page.locator("html")).to_have_attribute("lang", "ko")
    switch(page, "Tiếng Việt")
    expect(page.get_by_role("heading", level=1)).to_have_text("Đăng nhập")


def test_letters_are_there_on_a_machine_without_them_and_english_loads_no_font(
    page: Page, signed_in: SignIn
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    signed_in(make_user(Role.NURSE))
    page.goto("/patients/")
    page.wait_for_load_state("networkidle")
    assert not [url for url in asked if url.endswith(".woff2")]
    switch(page, "한국어")
    page.wait_for_load_state("networkidle")
    check = "document.fonts.check('15px \"Hangul of xraydx\"', '환자')"
    ready = f"document.fonts.ready.then(() => {check})"
    assert page.evaluate(ready) is True
    assert len([url for url in asked if url.endswith(".woff2")]) <= 4


def test_the_page_stays_when_its_language_changes(page: Page, signed_in: SignIn) -> None:
    signed_in(make_user(Role.NURSE))
    page.goto("/profile/")
    switch(page, "Tiếng Việt")
    expect(page).to_have_url("/profile/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hồ sơ cá nhân và bảo mật")
    switch(page, "English")
    expect(page.get_by_role("heading", level=1)).to_have_text("Profile and security")


def test_a_phone_has_the_languages_in_the_menu_of_the_account(
    page: Page, signed_in: SignIn
) -> None:
    page.set_viewport_size(PHONE)
    signed_in(make_user(Role.NURSE))
    page.goto("/profile/")
    page.locator(".menu-account > summary").click()
    page.locator(".menu-account").get_by_role("button", name="한국어").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("프로필 및 보안")


@pytest.mark.parametrize("size", [None, PHONE], ids=["workstation", "phone"])
@pytest.mark.parametrize("language", ["ko", "vi"])
def test_no_english_is_left_and_nothing_is_too_wide(
    page: Page, signed_in: SignIn, language: str, size: Any
) -> None:
    if size:
        page.set_viewport_size(size)
    visit = make_visit()
    film = make_result().film_id
    signed_in(make_user(Role.PHYSICIAN, preferences={"language": language}))
    for address in (
        "/worklist/",
        "/patients/",
        "/patients/register/",
        f"/patients/{visit.patient_id}/",
        f"/visits/{visit.pk}/",
        f"/films/{film}/",
        "/profile/",
    ):
        page.goto(address)
        page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")
        assert english_in(page.evaluate(LINES), language) == [], address
        page.locator("details").evaluate_all("all => all.forEach(one => { one.open = false })")
        assert not page.evaluate(TOO_WIDE), address
