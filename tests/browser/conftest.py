"""A real Chromium on a live server; every page is watched for errors of its own."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from accounts.models import User
from diagnosis import pipeline, queue
from policy import curves
from tests.accounts.factories import client_of
from tests.browser.chromium import ARGUMENTS, WORKSTATION, find_chromium
from tests.ml.tiny import build_release

# The driver runs an event loop in the test's thread; Django must not take that for async code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser, live_server: Any) -> Iterator[BrowserContext]:
    """A fresh browser profile whose addresses are those of the live server."""
    context = chromium.new_context(base_url=live_server.url, viewport=WORKSTATION)
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that must log no error: no script that fails, nothing that the CSP stops."""
    faults: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        # Chromium reports every answer above 399 here, and those are often what is tested.
        if message.type == "error" and "Failed to load resource" not in message.text:
            faults.append(message.text)

    page = context.new_page()
    page.on("console", listen)
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    page.close()
    assert not faults


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole release of a few kB."""
    return build_release(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def release(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Have the tiny release installed, and no other."""
    monkeypatch.setenv("XRAYDX_WEIGHTS", str(tiny_weights))
    curves.installed.cache_clear()
    yield "tiny"
    curves.installed.cache_clear()


@pytest.fixture
def read_films(release: str) -> Callable[[], int]:
    """Return a function that reads every waiting film as a worker does; it returns how many."""

    def drain() -> int:
        count = 0
        while (held := queue.claim_next(worker="tests@browser")) is not None:
            pipeline.run(held)
            count += 1
        return count

    return drain


def enter(context: BrowserContext, user: User, address: str) -> None:
    """Give the browser the session of the user."""
    cookies = client_of(user).cookies
    context.add_cookies(
        [{"name": name, "value": value.value, "url": address} for name, value in cookies.items()]
    )


@pytest.fixture
def signed_in(context: BrowserContext, live_server: Any) -> Any:
    """Return a function that signs a user in."""
    assert settings.SESSION_COOKIE_SECURE is False
    return lambda user: enter(context, user, live_server.url)
