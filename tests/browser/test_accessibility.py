"""axe on every page, and rules that no tool needs to know: one heading, no inline code."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from accounts.models import User
from accounts.roles import Role
from diagnosis import readings
from diagnosis.models import Analysis
from tests.access.matrix import Row
from tests.access.test_matrix import all_rows
from tests.accounts.factories import make_user
from tests.browser.chromium import PHONE
from tests.diagnosis.factories import (
    make_analysis,
    make_failure,
    make_film,
    make_refusal,
    make_result,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("release"),
]
SignIn = Callable[[User], None]
# A picture, and a part of a page.
NO_PAGES = {
    "worklist:hold",
    "diagnosis:image",
    "diagnosis:analysis_status",
    "diagnosis:depth",
    "diagnosis:prior",
    "diagnosis:report_pdf",
    "diagnosis:quick_picture",
}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def page_rows() -> list[Row]:
    """One row for each page that somebody may open in a browser."""
    rows = {
        row.name: row
        for row in reversed(all_rows())
        if row.name not in NO_PAGES
        and not row.api
        and row.method.lower() == "get"
        and row.open_to
        and row.status == 200
    }
    return [rows[name] for name in sorted(rows)]


def violations(page: Page) -> list[str]:
    """What axe finds, one line each."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{rule['id']}: {node['target']} {node.get('failureSummary', '')}"
        for rule in found
        for node in rule["nodes"]
    ]


def role_for(row: Row) -> Role:
    """Somebody who may open it; an administrator where they may, who sees most."""
    return Role.ADMINISTRATOR if Role.ADMINISTRATOR in row.open_to else sorted(row.open_to)[0]


@pytest.mark.parametrize("row", page_rows(), ids=lambda row: row.name)
def test_axe_finds_nothing(page: Page, signed_in: SignIn, row: Row) -> None:
    actor = make_user(role_for(row))
    needs = row.build(actor)
    signed_in(actor)
    page.goto(row.address(needs))
    assert violations(page) == []
    assert page.locator("h1").count() == 1
    inline = "style, [style], script:not([src]), [onclick], [onload], [onchange], [onsubmit]"
    assert page.locator(inline).count() == 0


def test_axe_finds_nothing_before_sign_in(page: Page) -> None:
    page.goto("/sign-in/")
    assert violations(page) == []


@pytest.mark.parametrize("size", [None, PHONE], ids=["workstation", "phone"])
@pytest.mark.parametrize(
    "make", [make_result, make_refusal, make_failure, make_analysis], ids=lambda make: make.__name__
)
def test_axe_finds_nothing_in_any_state_of_a_film(
    page: Page, signed_in: SignIn, make: Callable[[], Analysis], size: Any
) -> None:
    if size:
        page.set_viewport_size(size)
    analysis = make()
    signed_in(make_user(Role.PHYSICIAN))
    page.goto(f"/films/{analysis.film_id}/")
    page.locator("details:not([data-menu]) > summary").evaluate_all(
        "all => all.map(s => s.click())"
    )
    assert violations(page) == []


@pytest.mark.parametrize("size", [None, PHONE], ids=["workstation", "phone"])
def test_axe_finds_nothing_before_the_first_look_nor_after_signing(
    page: Page, signed_in: SignIn, size: Any
) -> None:
    if size:
        page.set_viewport_size(size)
    before = make_result()
    analysis = make_result(make_film(before.film.visit))
    physician = make_user(Role.PHYSICIAN)
    readings.choose_first_look(by=physician, hide=True)
    signed_in(physician)
    page.goto(f"/films/{analysis.film_id}/")
    assert violations(page) == []
    readings.record_first_look(analysis=analysis, by=physician, impression="unsure")
    for report in ("An effusion.", "A small effusion."):
        readings.sign_reading(analysis=analysis, by=physician, verdict="agree", report=report)
    page.goto(f"/films/{analysis.film_id}/")
    page.wait_for_selector("canvas[data-painted]")
    page.keyboard.press("p")
    page.wait_for_selector(".prior")
    page.locator(".own details > summary").evaluate_all("all => all.map(s => s.click())")
    assert violations(page) == []


def test_axe_finds_nothing_on_an_error_page(page: Page, signed_in: SignIn) -> None:
    signed_in(make_user(Role.NURSE))
    page.goto("/films/00000000-0000-0000-0000-000000000000/")
    assert violations(page) == []


def test_every_page_is_among_those_looked_at() -> None:
    names = {row.name for row in page_rows()}
    assert {"diagnosis:film", "diagnosis:upload", "patients:list", "accounts:profile"} <= names
