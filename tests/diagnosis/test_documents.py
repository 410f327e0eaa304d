"""The documents say what the code does."""

import importlib
import re
from pathlib import Path

import pytest

from diagnosis import messages, queue
from diagnosis.states import TRANSITIONS, Event, Status
from ml.refusal import DECODE_CODES, GATE_CODES

DOCS = Path(__file__).parents[2] / "docs"
APPLICATIONS = ("diagnosis", "patients", "accounts", "audit", "ml", "xraydx")
STORY = (DOCS / "film-end-to-end.md").read_text()
STATES = (DOCS / "analysis-states.md").read_text()


def names_in(text: str) -> list[str]:
    """Dotted names in code marks that begin with one of our packages."""
    marked = re.findall(r"`([A-Za-z_][\w.]*\.[A-Za-z_]\w*)`", text)
    return sorted({name for name in marked if name.partition(".")[0] in APPLICATIONS})


def resolve(name: str) -> object:
    """Import as much of the name as is a module, then go down by attribute."""
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(name)


@pytest.mark.parametrize("name", names_in(STORY))
def test_every_name_of_the_story_exists(name: str) -> None:
    assert resolve(name) is not None


def test_the_story_names_enough() -> None:
    assert len(names_in(STORY)) >= 30


def test_the_table_is_the_codes_own() -> None:
    rows = re.findall(r"^\| (\w+) \| (\w+) \| (\w+) \|$", STATES, re.MULTILINE)
    written = {
        (before, event): after for before, event, after in rows if before not in {"from", "event"}
    }
    assert written == {
        (str(before), str(event)): str(after) for (before, event), after in TRANSITIONS.items()
    }


def test_every_state_and_event_is_explained() -> None:
    for word in (*Status.values, *Event.values):
        assert re.search(rf"^\| {word} \| .{{20,}}", STATES, re.MULTILINE), word
    for name in re.findall(r"`queue\.(\w+)`", STATES):
        assert hasattr(queue, name), name


@pytest.mark.parametrize("code", sorted(DECODE_CODES | GATE_CODES))
def test_every_refusal_has_words(code: str) -> None:
    assert code in messages.MESSAGES
