"""A patient's name in each language."""

import unicodedata
from datetime import date

import pytest
from django.utils import translation

from patients.forms import BirthDateField, RegisterForm
from patients.names import display_name


@pytest.mark.parametrize(
    ("language", "shown"),
    [("en", "Nguyễn, Thị Linh"), ("ko", "Nguyễn Thị Linh"), ("vi", "Nguyễn Thị Linh")],
)
def test_the_family_name_comes_first_or_is_marked(language: str, shown: str) -> None:
    with translation.override(language):
        assert display_name("Nguyễn", "Thị Linh") == shown


@pytest.mark.parametrize("language", ["en", "ko", "vi"])
def test_a_korean_name_is_written_in_one(language: str) -> None:
    with translation.override(language):
        assert display_name("김", "아라") == "김아라"


@pytest.mark.parametrize(("family", "given"), [("김", "아라"), ("Nguyễn", "Thị Linh")])
def test_a_name_stored_in_parts_is_shown_composed(family: str, given: str) -> None:
    parts = [unicodedata.normalize("NFD", name) for name in (family, given)]
    assert display_name(*parts) == display_name(family, given)


def test_a_name_of_one_part_stands_alone() -> None:
    assert display_name("Unidentified", "") == "Unidentified"


@pytest.mark.parametrize(
    ("language", "typed"),
    [("en", "1970-03-05"), ("ko", "1970. 03. 05."), ("ko", "19700305"), ("vi", "05/03/1970")],
)
def test_a_birth_date_is_typed_as_the_language_writes_it(language: str, typed: str) -> None:
    with translation.override(language):
        assert BirthDateField().clean(typed) == date(1970, 3, 5)


@pytest.mark.parametrize(
    ("language", "shown"),
    [("en", "Unidentified"), ("ko", "신원 미상"), ("vi", "Chưa rõ danh tính")],
)
def test_who_has_no_name_is_called_so_in_the_readers_language(language: str, shown: str) -> None:
    with translation.override("ko"):
        form = RegisterForm({"unidentified": "on", "sex": "U"})
        form.is_valid()
    with translation.override(language):
        assert display_name(form.cleaned_data["family_name"], "") == shown
