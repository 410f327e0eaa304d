"""Every code that the source names has words, and all words say what to do."""

import re
from pathlib import Path

import pytest

from xraydx.errors import all_messages, message_for

ROOT = Path(__file__).resolve().parents[2]
APPS = ("accounts", "audit", "policy", "patients", "diagnosis", "worklist", "quality", "xraydx")
RAISED = re.compile(r"(?:UserError|NotFound|Forbidden|Conflict)\(\s*\"([a-z_]+)\"", re.MULTILINE)


def codes_in_source() -> set[str]:
    found: set[str] = set()
    for app in APPS:
        for file in (ROOT / app).rglob("*.py"):
            found |= set(RAISED.findall(file.read_text()))
    return found


def test_every_code_has_words() -> None:
    assert codes_in_source() - set(all_messages()) == set()


@pytest.mark.parametrize("code", ["not_found", "unforeseen"])
def test_words_are_filled(code: str) -> None:
    what, do = message_for(code).fill({"incident": "abc"})
    assert what
    assert do


def test_all_words_say_what_happened() -> None:
    assert [code for code, words in all_messages().items() if not str(words.what)] == []
