"""Names and numbers in the form that a search compares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patients.folding import fold_area, fold_name, fold_number, name_beginnings


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ("Nguyễn Thị Linh", "nguyen thi linh"),
        ("ĐẶNG", "dang"),
        ("김 아라", "김아라"),
        ("\u1100\u1175\u11b7", "김"),
        ("O’Brien", "obrien"),
        ("Jean-Luc", "jean luc"),
        ("Strauß", "strauss"),
        ("Łukasz Ørsted", "lukasz orsted"),
        ("İpek Işık", "ipek isik"),
        ("李 小龙", "李小龙"),
        ("  --  ", ""),
    ],
)
def test_a_name_folds_however_it_is_typed(typed, folded):
    assert fold_name(typed) == folded


def test_a_syllable_is_no_prefix_of_another():
    assert not fold_name("임").startswith(fold_name("이"))


def test_vowel_signs_of_other_scripts_stay():
    assert fold_name("ภัทร") == "ภัทร"


def test_a_name_is_found_from_each_of_its_words():
    assert name_beginnings("Nguyễn", "Thị Linh") == {
        "nguyen thi linh",
        "thi linh nguyen",
        "linh nguyen thi",
    }


def test_a_number_keeps_what_tells_numbers_apart():
    assert fold_number(" AB 12-3 ") == "ab12-3"
    assert fold_number("12-34") != fold_number("1-234")


def test_an_area_is_the_same_in_either_case():
    assert fold_area(" a4 ") == fold_area("A4")


@given(st.text(max_size=130))
def test_folding_twice_changes_nothing(text):
    once = fold_name(text)
    assert fold_name(once) == once
    assert len(once) <= 400
