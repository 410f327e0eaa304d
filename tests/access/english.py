"""Finds English texts of the catalogue in a page that should be in another language."""

import re
from functools import cache
from html.parser import HTMLParser

from xraydx import catalogues

SEEN = {"title", "aria-label", "placeholder", "alt", "data-legend"}
PLACE = re.compile(r"%%|%\(\w+\)\d*[a-z]|\{\w*\}")


class _Texts(HTMLParser):
    """Collects what a reader of the page sees or hears."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.texts += [value for name, value in attrs if name in SEEN and value]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def texts_of(html: str) -> list[str]:
    """Return the texts of a page, one for each node and attribute that speaks."""
    parser = _Texts()
    parser.feed(html)
    return [text for text in (" ".join(one.split()) for one in parser.texts) if text]


@cache
def _english(language: str) -> list[re.Pattern[str]]:
    """Return one pattern for each text whose translation differs from it."""
    patterns = []
    for message in catalogues.read_catalogue(language):
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        for text in ids:
            if text and text not in strings and re.search("[A-Za-z]{2}", PLACE.sub("", text)):
                parts = [re.escape(" ".join(part.split())) for part in PLACE.split(text)]
                patterns.append(re.compile(r"\s*.{0,60}?\s*".join(parts).strip()))
    return patterns


def english_in(texts: list[str], language: str) -> list[str]:
    """Return the texts that are English ones of the catalogue."""
    return [text for text in texts if any(one.fullmatch(text) for one in _english(language))]
