"""Every text that people see stands in both catalogues, and the compiled ones are current."""

import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.template.base import Lexer, TokenType
from django.utils import translation
from reportlab.pdfbase.ttfonts import TTFont

from diagnosis.display import NAMES
from diagnosis.report_pdf import FONT_FILE
from xraydx import catalogues
from xraydx.catalogues import NotWrittenOutError, Text, extract_python, extract_template

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SEEN_ATTRIBUTES = re.compile(r"\b(?:title|aria-label|placeholder|alt)=(?:\"([^\"]*)\"|'([^']*)')")
TAG = re.compile(r"<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>", re.DOTALL)
SAMPLE = re.compile(r"<code[ >].*?</code>", re.DOTALL)
WORD = re.compile(r"[A-Za-z]{2,}")
UNSEEN_BLOCKS = {"main_class", "body_class", "theme"}
# The same in every language: our name, formats, colour maps, keys, units.
ALIKE = {"xraydx", "VIRIDIS", "JET", "INFERNO", "MAGMA", "GREY", "Enter", "Shift", "Esc", "Tab",
         "Space", "mm", "px", "PDF", "CSV", "PA", "AP"}  # fmt: skip
languages = pytest.mark.parametrize("language", catalogues.LANGUAGES)


@languages
def test_nothing_is_left_untranslated(language: str) -> None:
    catalogue = catalogues.read_catalogue(language)
    assert catalogues.faults_of(catalogue, catalogues.wanted_texts(language)) == []


@languages
def test_the_compiled_catalogue_says_what_the_written_one_says(language: str) -> None:
    catalogue = catalogues.read_catalogue(language)
    with catalogues.po_path(language).with_suffix(".mo").open("rb") as stream:
        compiled = gettext.GNUTranslations(stream)
    for message in catalogue:
        if not message.id:
            continue
        if isinstance(message.id, tuple):
            assert compiled.ngettext(*message.id, 2) == message.string[0]
        elif message.context:
            assert compiled.pgettext(message.context, message.id) == message.string
        else:
            assert compiled.gettext(message.id) == message.string


def test_every_language_with_a_catalogue_is_offered() -> None:
    assert [code for code, _ in settings.LANGUAGES] == ["en", *catalogues.LANGUAGES]


@languages
def test_no_two_findings_share_a_name(language: str) -> None:
    english = [str(name) for name, _ in NAMES.values()]
    with translation.override(language):
        names = [str(name) for name, _ in NAMES.values()]
    assert len(set(names)) == len(names)
    assert not set(names) & set(english)


def test_the_font_of_reports_has_every_letter() -> None:
    glyphs = TTFont("report", str(FONT_FILE)).face.charToGlyph
    assert [one for one in catalogues.letters() if ord(one) not in glyphs] == []


def unmarked_words(source: str) -> Iterator[str]:
    """Yield the words of a template that stand outside every translation tag."""
    text, until = "", ""
    for token in Lexer(source).tokenize():
        if token.token_type == TokenType.BLOCK:
            name, *rest = token.contents.split()
            if name == "blocktranslate" or (name == "block" and rest[0] in UNSEEN_BLOCKS):
                until = f"end{name}"
            elif name == until:
                until = ""
        text += token.contents if token.token_type == TokenType.TEXT and not until else "\x00"
    seen = [next(filter(None, found), "") for found in SEEN_ATTRIBUTES.findall(text)]
    for part in (TAG.sub(" ", SAMPLE.sub(" ", text)), *seen):
        yield from (word for word in WORD.findall(part) if word not in ALIKE)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_template_holds_no_word_outside_its_translation_tags(path: Path) -> None:
    assert list(unmarked_words(re.sub(r"&\w+;", " ", path.read_text()))) == []


def test_words_outside_the_tags_are_found() -> None:
    source = '<p title="A tip">{% translate "In" %} left {{ name }}<b>out</b> xraydx</p>'
    assert list(unmarked_words(source)) == ["left", "out", "tip"]


def test_texts_of_python_are_found_under_any_name() -> None:
    source = (
        "from django.utils.translation import gettext_lazy as lazy, ngettext, pgettext as p\n"
        'lazy("one " "text")\nngettext("a", "b", 2)\np("sex", "Other")\nother("not this")\n'
    )
    assert set(extract_python(source, "here")) == {
        Text("", "one text", ""),
        Text("", "a", "b"),
        Text("sex", "Other", ""),
    }


def test_a_text_that_is_put_together_is_refused() -> None:
    source = "from django.utils.translation import gettext as _\n_(f'{name} left')\n"
    with pytest.raises(NotWrittenOutError, match="here:2"):
        list(extract_python(source, "here"))


def test_texts_of_templates_are_found() -> None:
    source = (
        '{% translate "It\'s" %}{% translate "Who" context "patient" %}{{ x|default:_("All") }}'
        '{% include "a" with title=_("None yet") %}{% blocktranslate count n=m trimmed %}\n'
        "  {{ n }} film\n{% plural %}\n  {{ n }} films\n{% endblocktranslate %}"
    )
    assert set(extract_template(source, "here")) == {
        Text("", "It's", ""),
        Text("patient", "Who", ""),
        Text("", "All", ""),
        Text("", "None yet", ""),
        Text("", "%(n)s film", "%(n)s films"),
    }


def test_faults_of_a_catalogue_are_named() -> None:
    catalogue = catalogues.Catalog(locale="ko")
    catalogue.add("Left at %(at)s", "퇴실")
    catalogue.add("Gone", "없음", flags=["fuzzy"])
    catalogue.add("Empty", "")
    catalogue.add("Old", "옛것")
    wanted = {Text("", one, ""): ["here"] for one in ("Left at %(at)s", "Gone", "Empty", "New")}
    faults = [fault.partition(":")[0] for fault in catalogues.faults_of(catalogue, wanted)]
    assert faults == [
        "other places for values",
        "fuzzy",
        "not translated",
        "not in the source any more",
        "not in the catalogue",
    ]
