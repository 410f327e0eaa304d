"""The fonts that pages bring for machines without Hangul or Vietnamese letters."""

import re
from pathlib import Path

from django.conf import settings

from xraydx.catalogues import letters, read_catalogue

STATIC = Path(settings.BASE_DIR) / "static"
CSS = (STATIC / "css" / "fonts.css").read_text(encoding="utf-8")
FACE = re.compile(r'url\("\.\./fonts/([^"]+)"\)[^;]*; unicode-range: ([^;]+);')


def faces() -> dict[str, set[int]]:
    """File name → the letters that it is asked for."""
    found = {}
    for name, ranges in FACE.findall(CSS):
        pairs = [one.strip().removeprefix("U+").split("-") for one in ranges.split(",")]
        found[name] = {
            code for pair in pairs for code in range(int(pair[0], 16), int(pair[-1], 16) + 1)
        }
    return found


def test_every_file_is_there_named_once_and_small() -> None:
    files = {path.name: path.stat().st_size for path in (STATIC / "fonts").glob("*.woff2")}
    assert set(files) == set(faces())
    assert len(FACE.findall(CSS)) == CSS.count("url(")
    assert max(files.values()) < 40_000
    assert all(path.read_bytes()[:4] == b"wOF2" for path in (STATIC / "fonts").glob("*.woff2"))


def test_every_syllable_and_vietnamese_letter_has_a_font() -> None:
    named = set().union(*faces().values())
    wanted = {ord(one) for one in letters() if "\uac00" <= one <= "\ud7a3"}
    wanted |= {*map(ord, "ĂăĐđĨĩŨũƠơƯư"), *range(0x1EA0, 0x1EFA)}
    assert wanted <= named


def test_no_letter_is_asked_of_two_files() -> None:
    assert sum(map(len, faces().values())) == len(set().union(*faces().values()))


def test_a_korean_page_needs_one_file_for_nearly_all_of_its_words() -> None:
    texts = "".join(str(one.string) for one in read_catalogue("ko"))
    used = [ord(one) for one in texts if "\uac00" <= one <= "\ud7a3"]
    held = faces()["hangul-pages.woff2"]
    assert sum(code in held for code in used) / len(used) > 0.99


def test_english_letters_load_nothing() -> None:
    assert not any(code < 0x100 for held in faces().values() for code in held)
