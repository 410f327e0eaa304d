"""Which Chromium is driven, how it is started, and the screens that pages are tried on."""

import os
from pathlib import Path

ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
]
WORKSTATION = {"width": 1366, "height": 768}
READING_ROOM = {"width": 1920, "height": 1080}
PHONE = {"width": 390, "height": 844}


def find_chromium() -> str | None:
    """Return the system's Chromium, or None for the driver's own."""
    named = [os.environ.get("XRAYDX_CHROMIUM"), "/usr/bin/chromium", "/usr/bin/chromium-browser"]
    return next((path for path in named if path and Path(path).exists()), None)
