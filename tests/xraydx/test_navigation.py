"""The bar on top, the footer, and what a new installation says."""

import re

import pytest

from tests.accounts.factories import client_of, make_administrator, make_nurse
from tests.patients.factories import make_patient

pytestmark = pytest.mark.django_db
CURRENT = re.compile(r'<a href="([^"]+)" aria-current="(page|true)"')


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        ("/users/", ("/users/", "page")),
        ("/users/new/", ("/users/", "true")),
        ("/site/releases/", ("/site/", "true")),
        ("/retention/", ("/site/", "true")),
        ("/quality/discrepancies/", ("/quality/", "true")),
        ("/patients/deleted/", ("/patients/", "true")),
        ("/patients/register/", ("/patients/register/", "page")),
    ],
)
def test_the_bar_names_the_part_that_a_page_belongs_to(where: str, shown: tuple[str, str]) -> None:
    text = client_of(make_administrator()).get(where).content.decode()
    bar = text[text.index('<nav class="topbar-nav"') : text.index("</nav>")]
    assert CURRENT.findall(bar) == [shown]


def test_help_is_at_the_same_place_of_every_page() -> None:
    client = client_of(make_nurse())
    for where in ("/patients/", "/quick/", "/profile/", "/worklist/"):
        menu = client.get(where).content.decode().split('class="menu menu-account"')[1]
        assert menu.index('href="/help/"') < menu.index('href="/limits/"')


def test_a_new_installation_says_what_to_do_first() -> None:
    office, nurse = client_of(make_administrator()), client_of(make_nurse())
    assert "Make an account for each colleague" in office.get("/worklist/").content.decode()
    assert "Make an account" not in nurse.get("/worklist/").content.decode()
    make_patient()
    later = office.get("/worklist/").content.decode()
    assert "No film waits for a reader" in later
    assert "Make an account for each colleague" not in later
