"""The members of a release in words."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ml import bundle
from policy.members import MEMBERS, members_of


@pytest.mark.parametrize("name", bundle.release_names())
def test_every_member_of_an_installed_release_has_words(name: str) -> None:
    said = json.loads((bundle.weights_folder() / "releases" / f"{name}.json").read_text())
    assert set(said["members"]) <= set(MEMBERS)


def test_a_member_without_words_goes_by_its_code() -> None:
    release = cast(Any, SimpleNamespace(versions={"gate": "1", "later": "2"}))
    assert members_of(release) == [("Check before reading", "1"), ("later", "2")]
