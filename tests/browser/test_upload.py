"""Sending films: checks before sending, several at once, questions, a line that breaks."""

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from accounts.models import User
from diagnosis.models import Analysis, Film
from ml.imaging.write import to_png
from tests.accounts.factories import make_physician, make_radiographer
from tests.diagnosis.factories import draw_png, make_film
from tests.patients.factories import make_visit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("release"),
]
SignIn = Callable[[User], None]


@pytest.fixture
def png(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes another film under a name."""

    def write(name: str, data: bytes | None = None) -> Path:
        path = tmp_path / name
        path.write_bytes(draw_png() if data is None else data)
        return path

    return write


@pytest.fixture
def zone(page: Page, signed_in: SignIn) -> Any:
    """Open the page that takes films for a new visit."""
    visit = make_visit()
    signed_in(make_radiographer())
    page.goto(f"/visits/{visit.id}/films/")
    return visit


def test_one_film_opens_by_itself_and_shows_its_result(
    page: Page, zone: Any, png: Any, read_films: Callable[[], int]
) -> None:
    expect(page.locator("[data-pick]")).to_have_text("Choose films")
    page.set_input_files("#drop-file", png("a.png"))
    page.wait_for_url(re.compile("/films/[0-9a-f-]{36}/$"))
    assert read_films() == 1
    page.wait_for_selector("canvas[data-painted]")
    assert page.locator(".finding-list > li").count() >= 3
    assert "Queued" not in page.locator(".strip").inner_text()


def test_a_film_that_was_chosen_before_the_script_came_is_sent(
    page: Page, signed_in: SignIn, png: Any
) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    visit = make_visit()
    signed_in(make_radiographer())
    page.route("**/js/upload*.js", hold)
    with page.expect_request("**/js/upload*.js"):
        page.goto(f"/visits/{visit.id}/films/", wait_until="commit")
    page.set_input_files("#drop-file", png("early.png"))
    held[0].continue_()
    page.wait_for_url(re.compile("/films/[0-9a-f-]{36}/$"))
    assert Film.objects.filter(visit=visit).count() == 1


def test_several_films_are_sent_at_once_and_each_row_ends_with_its_result(
    page: Page, zone: Any, png: Any, read_films: Callable[[], int]
) -> None:
    page.set_input_files("#drop-file", [png(f"{name}.png") for name in "abc"])
    rows = page.locator(".drop-list > li")
    expect(rows.locator("[data-open]")).to_have_count(3)
    assert read_films() == 3
    expect(rows.locator("[data-state=succeeded]")).to_have_count(3)
    assert Film.objects.filter(visit=zone).count() == 3


def test_a_dropped_film_is_taken_like_a_chosen_one(page: Page, zone: Any) -> None:
    page.evaluate(
        """bytes => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "dropped.png"));
          const drop = new DragEvent("drop", { dataTransfer: data, bubbles: true });
          document.querySelector("[data-drop] form").dispatchEvent(drop);
        }""",
        list(draw_png(5)),
    )
    page.wait_for_url(re.compile("/films/[0-9a-f-]{36}/$"))


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("empty.png", b"", "The file is empty"),
        ("report.pdf", b"%PDF-1.7 ..." * 20, "This kind of file cannot be read"),
    ],
)
def test_an_unfit_file_is_told_at_once_and_never_sent(
    page: Page, zone: Any, png: Any, name: str, data: bytes, words: str
) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.set_input_files("#drop-file", png(name, data))
    expect(page.locator(".drop-list")).to_contain_text(words)
    assert "POST" not in sent


def test_a_file_over_the_limit_is_told_at_once(
    page: Page, signed_in: SignIn, png: Any, settings: Any
) -> None:
    settings.UPLOAD_MAX_BYTES = 2000
    signed_in(make_radiographer())
    page.goto(f"/visits/{make_visit().id}/films/")
    page.set_input_files("#drop-file", png("big.png"))
    expect(page.locator(".drop-list")).to_contain_text("larger than a chest film can be")


def test_a_damaged_film_is_refused_in_place(page: Page, zone: Any, png: Any) -> None:
    page.set_input_files("#drop-file", png("cut.png", draw_png()[:3000]))
    expect(page.locator(".drop-list [role=alert]")).to_contain_text("picture")
    assert not Film.objects.exists()


def test_bytes_of_another_patient_are_a_question_that_is_answered_in_place(
    page: Page, signed_in: SignIn, png: Any
) -> None:
    data = draw_png(7)
    make_film(data=data)
    visit = make_visit()
    signed_in(make_radiographer())
    page.goto(f"/visits/{visit.id}/films/")
    page.set_input_files("#drop-file", png("a.png", data))
    expect(page.locator(".drop-list")).to_contain_text("already filed under another patient")
    assert not Film.objects.filter(visit=visit).exists()
    page.get_by_role("button", name="It belongs to this patient").click()
    page.wait_for_url(re.compile("/films/[0-9a-f-]{36}/$"))
    assert Film.objects.filter(visit=visit).count() == 1


def test_a_connection_lost_in_mid_upload_loses_nothing_and_doubles_nothing(
    context: BrowserContext, page: Page, zone: Any, png: Any
) -> None:
    tries: list[str] = []

    def lose_the_first(route: Route) -> None:
        tries.append(route.request.method)
        if len(tries) == 1:
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/visits/*/films/", lose_the_first)
    page.set_input_files("#drop-file", png("a.png"))
    expect(page.locator(".drop-list")).to_contain_text("The connection was lost")
    expect(page.locator("#connection")).to_be_visible()
    page.wait_for_url(re.compile("/films/[0-9a-f-]{36}/$"))
    assert len(tries) == 2
    assert Film.objects.filter(visit=zone).count() == 1


def test_a_line_that_breaks_while_the_film_goes_out_is_taken_up_again_by_itself(
    context: BrowserContext, signed_in: SignIn, png: Any
) -> None:
    visit = make_visit()
    signed_in(make_radiographer())
    page = context.new_page()  # one whose errors are meant: requests that reach nobody
    page.goto(f"/visits/{visit.id}/films/")
    line = context.new_cdp_session(page)
    line.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 30_000}
    line.send("Network.emulateNetworkConditions", slow)
    noise = random.Random(9).randbytes(900 * 900)  # does not shrink: the file is as large
    film = to_png(np.frombuffer(noise, np.uint8).reshape(900, 900) / 255)
    page.set_input_files("#drop-file", png("slow.png", film))
    row = page.locator(".drop-list > li")
    expect(row.locator("[data-said]")).to_contain_text(re.compile("%|checked"), timeout=20_000)
    context.set_offline(True)
    expect(row.get_by_role("alert")).to_contain_text("The film is kept here")
    expect(row.get_by_role("button", name="Try again")).to_be_visible()
    assert not Film.objects.exists()
    line.detach()
    context.set_offline(False)
    page.wait_for_url(re.compile("/films/[0-9a-f-]{36}/$"), timeout=30_000)
    assert Film.objects.filter(visit=visit).count() == 1
    page.close()


def test_an_answer_lost_after_the_film_arrived_leaves_one_film(
    page: Page, zone: Any, png: Any
) -> None:
    tries: list[str] = []

    def lose_the_answer(route: Route) -> None:
        tries.append(route.request.method)
        if len(tries) == 1:
            route.fetch()
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/visits/*/films/", lose_the_answer)
    page.set_input_files("#drop-file", png("a.png"))
    page.wait_for_url(re.compile("/films/[0-9a-f-]{36}/$"))
    assert (Film.objects.count(), Analysis.objects.count()) == (1, 1)


def test_without_script_the_form_still_sends(chromium: Any, live_server: Any, png: Any) -> None:
    from tests.browser.conftest import enter

    visit = make_visit()
    context = chromium.new_context(base_url=live_server.url, java_script_enabled=False)
    enter(context, make_physician(), live_server.url)
    page = context.new_page()
    page.goto(f"/visits/{visit.id}/films/")
    page.set_input_files("#drop-file", png("a.png"))
    page.get_by_role("button", name="Send", exact=True).click()
    page.wait_for_url(re.compile("/films/[0-9a-f-]{36}/$"))
    expect(page.locator("#reading")).to_have_attribute("data-state", "queued")
    context.close()
