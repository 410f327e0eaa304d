"""Milliseconds until a film is painted and its findings can be read, in a real Chromium.

python -m benchmarks opening [--films N] [--store]
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks import results
from ml.imaging.synthetic import sample_film
from ml.imaging.write import to_png
from tests.browser.chromium import ARGUMENTS, WORKSTATION, find_chromium
from tests.flows.program import Program, make_token
from tests.flows.supervised import ROOT, Installation, installation, wait_for
from xraydx.embedded_postgres import OWNER

GOAL_MS = 300
WARM_UP_FILMS, FRESH_PROFILES = 3, 5
# The moment after the frame in which film and findings are both there.
WATCH = """
window.ready = new Promise((resolve) => {
  const look = new MutationObserver(() => {
    const film = document.querySelector("canvas[data-painted]");
    if (!film || !document.querySelector(".finding-list .finding")) return;
    look.disconnect();
    requestAnimationFrame(() => {
      const next = new MessageChannel();
      next.port1.onmessage = () => resolve(performance.timeOrigin + performance.now());
      next.port2.postMessage(null);
    });
  });
  look.observe(document, { subtree: true, childList: true, attributeFilter: ["data-painted"] });
});
"""
SIGN_IN = """
import json
from tests.accounts.factories import client_of, make_radiologist
cookies = client_of(make_radiologist()).cookies
print(json.dumps({name: morsel.value for name, morsel in cookies.items()}))
"""


@dataclass
class Times:
    """Milliseconds of each opening, and which share of the machine worked before it began."""

    taken_ms: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The figures, rounded."""
        return {
            "films": len(self.taken_ms),
            "median": round(statistics.median(self.taken_ms)),
            "p95": round(results.percentile(self.taken_ms, 0.95)),
            "machine_busy_before": round(statistics.median(self.busy), 2),
        }


class Bench:
    """An installation, a program that sends films, and a radiologist's browser."""

    def __init__(self, one: Installation, browser: Browser) -> None:
        self.one, self.browser = one, browser
        self.url = f"http://127.0.0.1:{one.port}"
        self.program = Program(self.url, make_token(one))
        self.visit = self.program.open_visit()
        self.cookies = sign_in(one)
        self.sent = 0

    def profile(self) -> BrowserContext:
        """A fresh browser profile of the radiologist: nothing is cached."""
        context = self.browser.new_context(base_url=self.url, viewport=WORKSTATION)
        context.add_cookies(
            [{"name": name, "value": value, "url": self.url} for name, value in self.cookies]
        )
        context.add_init_script(WATCH)
        return context

    def send(self, **headers: str) -> dict[str, Any]:
        """Send a film that nobody sent before; returns its analysis."""
        self.sent += 1
        film = to_png(sample_film(self.sent, 1024))
        status, found = self.program.send_film(self.visit, film, **headers)
        if status not in (200, 202):
            raise SystemExit(f"An upload was answered with {status}: {found}")
        return dict(found)

    def opened_ms(self, page: Page, film: str) -> float:
        """From the click to film and findings: the result is there already."""
        page.goto(f"/films/{film}/", wait_until="commit")
        ready: float = page.evaluate("window.ready")
        return ready - float(page.evaluate("performance.timeOrigin"))

    def arrived_ms(self, page: Page) -> float:
        """From the stored result to film and findings, on a page that was open before it."""
        with self.workers_held():
            found = self.send()
            page.goto(f"/films/{found['film']}/")
            page.wait_for_timeout(500)
        ready: float = page.evaluate("window.ready")
        return ready - 1000 * finished_at(self.one, found["id"])

    @contextmanager
    def workers_held(self) -> Iterator[None]:
        """Keep the workers from reading meanwhile."""
        workers = self.one.children("celery")
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)

    def measure(self, count: int) -> dict[str, Times]:
        """Open each film three ways."""
        times = {"opened_ms": Times(), "arrived_ms": Times(), "fresh_profile_ms": Times()}
        films = [self.send(Prefer="wait=30")["film"] for _ in range(WARM_UP_FILMS + count)]
        context = self.profile()
        page = context.new_page()
        for number, film in enumerate(films):
            busy, taken = share_busy(), self.opened_ms(page, film)
            if number >= WARM_UP_FILMS:
                keep(times["opened_ms"], taken, busy)
        for _ in range(count):
            busy, taken = share_busy(), self.arrived_ms(page)
            keep(times["arrived_ms"], taken, busy)
        context.close()
        for film in films[:FRESH_PROFILES]:
            context = self.profile()
            busy, taken = share_busy(), self.opened_ms(context.new_page(), film)
            keep(times["fresh_profile_ms"], taken, busy)
            context.close()
        return times


def keep(times: Times, taken_ms: float, busy: float) -> None:
    """Note one opening."""
    times.taken_ms.append(taken_ms)
    times.busy.append(busy)


def share_busy() -> float:
    """Wait for a quiet moment; returns which share of the machine works all the same."""
    results.wait_for_quiet(2)
    return results.glance()


def sign_in(one: Installation) -> list[tuple[str, str]]:
    """The cookies of a radiologist's session."""
    made = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", SIGN_IN],
        cwd=ROOT,
        env=one.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return list(json.loads(made.stdout.strip().splitlines()[-1]).items())


def finished_at(one: Installation, analysis: str) -> float:
    """When the result was stored, seconds since 1970."""
    with psycopg.connect(one.servers.postgres.url(OWNER)) as connection:
        row = connection.execute(
            "SELECT extract(epoch FROM finished_at) FROM diagnosis_analysis WHERE id = %s",
            [analysis],
        ).fetchone()
    assert row is not None
    return float(row[0])


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and keep where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks opening")
    parser.add_argument("--films", type=int, default=25, help="openings of each kind")
    parser.add_argument("--store", action="store_true", help="keep the figures in results/")
    options = parser.parse_args(arguments)
    if not settings.configured:
        settings.configure()
    os.environ.setdefault("XRAYDX_API_UPLOADS_PER_MINUTE", "100000")
    with installation() as one, sync_playwright() as playwright:
        one.start(XRAYDX_WORKERS="2")
        wait_for(lambda: one.answers("/readyz"), seconds=180)
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        times = Bench(one, browser).measure(options.films)
        figures = {"goal_ms": GOAL_MS, "chromium": browser.version, "viewport": WORKSTATION}
        browser.close()
    figures |= {name: found.to_json() for name, found in times.items()}
    for name, found in times.items():
        print(f"{name:18} {found.to_json()}")
    if options.store:
        print(f"stored in {results.store('opening', figures)}")
    return 0
