"""Accounts as people use them: a new colleague's first day, and the office behind it."""

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from django_otp.oath import TOTP
from playwright.sync_api import Browser, Page, expect

from accounts.models import Authenticator, User
from tests.accounts.factories import PASSWORD, make_administrator, make_nurse, make_token
from tests.browser.chromium import PHONE, WORKSTATION

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def picture(page: Page, name: str) -> None:
    """Keep pictures of the page where XRAYDX_PICTURES says so, for people to look at."""
    folder = os.environ.get("XRAYDX_PICTURES")
    if not folder:
        return
    for size in (WORKSTATION, PHONE):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.screenshot(path=Path(folder) / f"{name}-{size['width']}.png", full_page=True)
    page.set_viewport_size(WORKSTATION)  # type: ignore[arg-type]


def sign_in(page: Page, username: str, password: str, path: str = "/profile/") -> None:
    page.goto(path)
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def app_code(user: User) -> str:
    """Return the code that the account's app shows in the next step, which counts as well."""
    device = Authenticator.objects.get(user=user)
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits)
    totp.time = time.time() + (30 if device.last_t >= totp.t() else 0)
    return f"{totp.token():06d}"


NEW_PASSWORD = "quartz-lamp-river-9"


def make_account(page: Page) -> str:
    """Add Ara Kim in the office and return her one-time password."""
    make_administrator(username="office", full_name="Office")
    page.goto("/users/")
    picture(page, "sign-in")
    sign_in(page, "office", PASSWORD, "/users/")
    expect(page).to_have_url(re.compile("/users/$"))
    page.get_by_role("link", name="New user").click()
    picture(page, "user-new")
    page.get_by_label("User name").fill("ara.kim")
    page.get_by_label("Full name").fill("Ara Kim")
    page.get_by_label("Role").select_option("physician")
    page.get_by_role("button", name="Make the account").click()
    picture(page, "user-one-time-password")
    return page.locator(".secret").inner_text()


def choose_password(page: Page, password: str) -> None:
    """Change the one-time password: a weak one is refused, a sound one taken."""
    expect(page.get_by_role("heading", name="Change password")).to_be_visible()
    for chosen in ("short", NEW_PASSWORD):
        page.get_by_label("Current password").fill(password)
        for label in ("New password", "New password again"):
            page.get_by_label(label, exact=True).fill(chosen)
        page.get_by_role("button", name="Change password").click()
        if chosen == "short":
            expect(page.get_by_role("alert")).to_contain_text("too easy to guess")
            picture(page, "password-weak")
    expect(page.get_by_role("heading", name="Profile and security")).to_be_visible()


def set_up_second_factor(page: Page) -> str:
    """Switch the second factor on and return one of the recovery codes."""
    page.get_by_role("link", name="Set up").click()
    expect(page.locator(".qr svg")).to_be_visible()
    picture(page, "second-factor")
    user = User.objects.get(username="ara.kim")
    page.get_by_label("Code", exact=True).fill(app_code(user))
    page.get_by_role("button", name="Switch on").click()
    expect(page.locator(".codes li")).to_have_count(10)
    picture(page, "recovery-codes")
    recovery = page.locator(".codes li").first.inner_text()
    page.get_by_role("link", name="I have kept them").click()
    picture(page, "profile")
    return recovery


def test_an_administrator_makes_an_account_and_its_holder_moves_in(
    page: Page, chromium: Browser, live_server: Any
) -> None:
    password = make_account(page)
    context = chromium.new_context(base_url=live_server.url, viewport=WORKSTATION)
    hers = context.new_page()
    sign_in(hers, "ara.kim", password)
    choose_password(hers, password)
    recovery = set_up_second_factor(hers)
    hers.get_by_role("button", name="Sign out everywhere").click()
    sign_in(hers, "ara.kim", NEW_PASSWORD)
    picture(hers, "sign-in-code")
    hers.get_by_label("Code", exact=True).fill(recovery)
    hers.get_by_role("button", name="Go on").click()
    expect(hers.get_by_role("heading", name="Profile and security")).to_be_visible()
    context.close()


def test_the_office_lifts_a_lock_out_and_revokes_a_token(page: Page) -> None:
    make_administrator(username="office", full_name="Office")
    nurse = make_nurse(username="lee.jun", full_name="Lee Jun")
    make_token(nurse)
    for _ in range(7):
        sign_in(page, "lee.jun", "wrong")
    expect(page.get_by_role("alert")).to_contain_text("Too many failed attempts")
    picture(page, "sign-in-delayed")
    sign_in(page, "office", PASSWORD, f"/users/{nurse.pk}/")
    picture(page, "user")
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("The token is revoked.")).to_be_visible()
    page.goto("/users/")
    picture(page, "users")
    page.goto("/audit/")
    expect(page.get_by_role("cell", name="Sign-in failed").first).to_be_visible()
    picture(page, "audit")
    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("User name").fill("office")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(re.compile("/audit/$"))
    expect(page.get_by_role("cell", name="Sign-in failed")).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as CSV").click()
    assert "sign_in.succeed" in Path(download.value.path()).read_text()


def test_a_password_can_be_looked_at_and_is_sent_as_one(page: Page) -> None:
    page.goto("/sign-in/")
    field = page.locator("#id_password")
    field.fill("quartz")
    page.get_by_role("button", name="Show Password").click()
    expect(field).to_have_attribute("type", "text")
    page.get_by_role("button", name="Hide Password").click()
    expect(field).to_have_attribute("type", "password")
    page.get_by_role("button", name="Show Password").click()
    page.locator("#id_username").fill("nobody")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.locator("#id_password")).to_have_attribute("type", "password")


def test_on_a_phone_the_bar_begins_at_the_present_page(page: Page, signed_in: Any) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    signed_in(make_administrator())
    page.goto("/audit/")
    expect(page.locator(".topbar-nav [aria-current]")).to_be_in_viewport(ratio=1)


def test_single_keys_are_switched_on_the_help_page(page: Page, signed_in: Any) -> None:
    signed_in(make_nurse())
    page.goto("/help/")
    page.get_by_label("Single keys are on").uncheck()
    page.goto("/profile/")
    expect(page.get_by_label("Single keys are on")).not_to_be_checked()
