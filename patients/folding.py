"""Folded forms of names and numbers, so that a search finds them however they are typed."""

import unicodedata

# Letters that differ from a base letter by more than a combining mark.
LETTERS = str.maketrans(
    {"đ": "d", "ð": "d", "ø": "o", "ł": "l", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ħ": "h"}
)
APOSTROPHES = str.maketrans("", "", "'’‘ʼ`´")
# Marks of Latin, Greek and Cyrillic; the vowel signs of other scripts carry meaning and stay.
MARKS = range(0x0300, 0x0370)
# Hangul, kana, CJK ideographs: names are typed with and without a space between their parts.
UNSPACED = (
    range(0x1100, 0x1200),
    range(0x3040, 0xA000),
    range(0xAC00, 0xD7A4),
    range(0xF900, 0xFB00),
)
KEY_LENGTH = 400


def fold_name(name: str) -> str:
    """Return the name in lower case, without accents, punctuation and needless spaces.

    returns: at most 400 characters; Hangul composed, so that 이 is no prefix of 임
    """
    text = name.translate(APOSTROPHES)
    text = unicodedata.normalize("NFKD", text).casefold()
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if ord(c) not in MARKS)
    text = unicodedata.normalize("NFC", text.translate(LETTERS).translate(APOSTROPHES))
    words = "".join(c if _is_letter(c) else " " for c in text).split()
    return _join(words)[:KEY_LENGTH]


def fold_number(number: str) -> str:
    """Return a record number in lower case without spaces; its punctuation tells numbers apart."""
    return "".join(unicodedata.normalize("NFKC", number).casefold().split())


def fold_area(area: str) -> str:
    """Return an ER area so that "a4" and "A4" are one."""
    return " ".join(unicodedata.normalize("NFKC", area).casefold().split())[:120]


def name_beginnings(family_name: str, given_name: str) -> set[str]:
    """Return the folded name from each of its words on, the words before it behind.

    "Nguyễn", "Thị Linh" gives "nguyen thi linh", "thi linh nguyen", "linh nguyen thi".
    """
    family, given = _words(family_name), _words(given_name)
    words = family + given
    starts = {_join(words[i:] + words[:i])[:KEY_LENGTH] for i in range(len(words))}
    return starts - {""}


def _words(name: str) -> list[str]:
    """Return the folded words of one part of a name."""
    return fold_name(name).split()


def _join(words: list[str]) -> str:
    """Put words together, with a space except where both sides are written without one."""
    text = ""
    for word in words:
        glue = "" if not text or (_is_unspaced(text[-1]) and _is_unspaced(word[0])) else " "
        text += glue + word
    return text


def _is_letter(character: str) -> bool:
    """Tell letters, digits and the marks that belong to letters from punctuation."""
    return unicodedata.category(character)[0] in "LNM"


def _is_unspaced(character: str) -> bool:
    return any(ord(character) in block for block in UNSPACED)
