"""Every page in every language: no text of the catalogue is left in English."""

import re

import pytest

from tests.access.english import english_in, texts_of
from tests.access.matrix import Row
from tests.access.test_matrix import ROWS, send
from tests.accounts.factories import client_of, make_user
from xraydx.catalogues import LANGUAGES

pytestmark = pytest.mark.django_db
# A decimal comma where a program reads a number.
BROKEN = re.compile(r'\s(?:d|x|y|x1|x2|y1|y2|r|cx|cy|width|height|points|viewBox|value|max|min)="'
                    r'[^"]*\d,\d\d?(?!\d*,)[^"]*"')  # fmt: skip
PAGES = [
    row for row in ROWS if not row.api and row.method == "get" and row.open_to and row.status == 200
]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("row", PAGES, ids=str)
def test_a_page_is_wholly_in_its_language(row: Row, language: str) -> None:
    actor = make_user(sorted(row.open_to)[0], preferences={"language": language})
    response = send(client_of(actor), row, row.build(actor))
    if not response["Content-Type"].startswith("text/html"):
        return
    html = b"".join(response).decode()
    assert english_in(texts_of(html), language) == []
    assert BROKEN.findall(html) == []


def test_english_is_found_where_it_is() -> None:
    html = '<h1>Patients</h1><p title="Sign out">기흉</p><p>Triage level 3</p><p>Kim Ara</p>'
    assert english_in(texts_of(html), "ko") == ["Patients", "Sign out", "Triage level 3"]
