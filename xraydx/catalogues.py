"""Message catalogues: `python -m xraydx.catalogues` brings locale/ up to date with the source.

Development only (Babel is no part of what serves). It needs no gettext on the machine:
templates are read by Django's own templatize, Python by its own parser, and Babel reads and
writes the .po and .mo files.
"""

import ast
import gettext
import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from babel.messages import pofile
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "locale"
LANGUAGES = ("ko", "vi")
APPS = ("accounts", "audit", "policy", "patients", "diagnosis", "worklist", "quality", "xraydx")
# Words of libraries that our pages and the API show; only those that they leave in English
# enter our catalogues.
BORROWED = (
    "django.forms.fields",
    "django.core.validators",
    "django.contrib.auth.password_validation",
    "rest_framework.fields",
    "rest_framework.serializers",
    "rest_framework.validators",
)
# Positions of context, text and plural among the arguments.
CALLS = {"gettext": (None, 0, None), "ngettext": (None, 0, 1), "gettext_noop": (None, 0, None),
         "pgettext": (0, 1, None), "npgettext": (0, 1, 2)}  # fmt: skip
LITERAL = r"""u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
TEMPLATE_CALL = re.compile(
    rf"\b(n?p?gettext|_)\(\s*({LITERAL})(?:,\s*({LITERAL}))?(?:,\s*({LITERAL}))?", re.DOTALL
)
PLACE = re.compile(r"%%|%\(\w+\)[a-z]|%[sd]|\{[^{}]*\}|</?\w+[^>]*>")
# Files that differ by the minute they were made in would change for no reason.
NO_TIME = datetime(2026, 11, 21, tzinfo=UTC)


class Text(NamedTuple):
    """One text to translate: context "" where it has none, plural "" where it has none."""

    context: str
    singular: str
    plural: str


class NotWrittenOutError(Exception):
    """A translated text is no constant, so no catalogue can hold it."""


def extract_python(source: str, place: str) -> Iterator[Text]:
    """Find the texts given to Django's gettext functions, under whatever name.

    raises: NotWrittenOutError where a text is put together at run time.
    """
    tree = ast.parse(source)
    names = _imported_names(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if isinstance(node.func, ast.Name):
            name = names.get(node.func.id, "")
        kind = CALLS.get(name.removesuffix("_lazy"))
        if kind is None:
            continue
        parts = [None if at is None else _constant(node.args[at], place) for at in kind]
        yield Text(parts[0] or "", parts[1] or "", parts[2] or "")


def _imported_names(tree: ast.Module) -> dict[str, str]:
    return {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation"
        for alias in node.names
    }


def _constant(node: ast.expr, place: str) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    raise NotWrittenOutError(
        f"{place}:{node.lineno}: write the translated text out as one constant"
    )


def extract_template(source: str, place: str) -> Iterator[Text]:
    """Find the texts of translate, blocktranslate and _() in a template."""
    for call, *literals in TEMPLATE_CALL.findall(templatize(source, origin=place)):
        texts = [ast.literal_eval(one) for one in literals if one]
        context, singular, plural = CALLS["gettext" if call == "_" else call]
        yield Text(
            "" if context is None else texts[context],
            texts[singular],
            "" if plural is None else texts[plural],
        )


def source_texts() -> dict[Text, list[str]]:
    """Return every text of ours, with the files that it stands in."""
    found: dict[Text, list[str]] = {}
    for path in sorted((ROOT / "templates").rglob("*.html")) + [
        file for app in APPS for file in sorted((ROOT / app).rglob("*.py"))
    ]:
        place = path.relative_to(ROOT).as_posix()
        extract = extract_template if path.suffix == ".html" else extract_python
        for text in extract(path.read_text(encoding="utf-8"), place):
            places = found.setdefault(text, [])
            if place not in places:
                places.append(place)
    return found


def borrowed_texts(language: str) -> dict[Text, list[str]]:
    """Return the texts of libraries that they do not translate into the language."""
    known = _library_translations(language)
    found: dict[Text, list[str]] = {}
    for module in BORROWED:
        spec = find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        for text in extract_python(Path(spec.origin).read_text(encoding="utf-8"), module):
            # Sentences only: what is no sentence names a kind of field to programmers.
            if text.singular.endswith(".") and not _is_known(text, known):
                found.setdefault(text, []).append(module)
    return found


def _library_translations(language: str) -> list[gettext.NullTranslations]:
    folders = []
    for module, folder in (
        ("django", "conf/locale"),
        ("django.contrib.auth", "locale"),
        ("rest_framework", "locale"),
    ):
        spec = find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        folders.append(Path(spec.origin).parent / folder)
    return [gettext.translation("django", one, [language], fallback=True) for one in folders]


def _is_known(text: Text, known: list[gettext.NullTranslations]) -> bool:
    for one in known:
        catalogue = getattr(one, "_catalog", {})
        key = f"{text.context}\x04{text.singular}" if text.context else text.singular
        if catalogue.get((key, 0) if text.plural else key):
            return True
    return False


def wanted_texts(language: str) -> dict[Text, list[str]]:
    """Return all that the language's catalogue must hold, with places, ours first."""
    ours = source_texts()
    return ours | {
        text: places for text, places in borrowed_texts(language).items() if text not in ours
    }


def po_path(language: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / "django.po"


def read_catalogue(language: str) -> Catalog:
    """Return the language's catalogue as it is kept; an empty one where there is none yet."""
    path = po_path(language)
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as stream:
        return pofile.read_po(stream, locale=language)


def renew(language: str) -> Catalog:
    """Return a catalogue of exactly the wanted texts, with the translations that are there."""
    old = read_catalogue(language)
    new = Catalog(
        locale=language,
        project="xraydx",
        version="1",
        charset="utf-8",
        fuzzy=False,
        creation_date=NO_TIME,
        revision_date=NO_TIME,
        last_translator="-",
        language_team=language,
        msgid_bugs_address="-",
        header_comment="# Kept by `make messages`. Translations are written here.",
    )
    for text, places in wanted_texts(language).items():
        key = (text.singular, text.plural) if text.plural else text.singular
        message = old.get(text.singular, text.context or None)
        same = message is not None and message.id == key
        new.add(
            key,
            message.string if message is not None and same else None,
            locations=[(place, 1) for place in places],
            context=text.context or None,
        )
    return new


def faults_of(catalogue: Catalog, wanted: dict[Text, list[str]]) -> list[str]:
    """Say what is missing, doubtful, left over, or differs in its places for values."""
    faults = []
    seen = set()
    for message in catalogue:
        if not message.id:
            continue
        ids = message.id if isinstance(message.id, tuple) else (message.id, "")
        given = message.string if isinstance(message.string, list | tuple) else [message.string]
        text = Text(message.context or "", *ids)
        seen.add(text)
        if text not in wanted:
            faults.append(f"not in the source any more: {text}")
        if message.fuzzy:
            faults.append(f"fuzzy: {text}")
        for string in (str(one or "") for one in given):
            if not string.strip():
                faults.append(f"not translated: {text}")
            elif _places(string) != _places(str(ids[1] or ids[0])):
                faults.append(f"other places for values: {text} → {string!r}")
    return faults + [f"not in the catalogue: {text}" for text in wanted if text not in seen]


def _places(text: str) -> list[str]:
    return sorted(PLACE.findall(text))


def compiled(catalogue: Catalog) -> bytes:
    """Return the .mo file."""
    stream = io.BytesIO()
    write_mo(stream, catalogue)
    return stream.getvalue()


def update(language: str) -> list[str]:
    """Write the language's .po and .mo files anew; return what is still missing."""
    catalogue = renew(language)
    path = po_path(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        pofile.write_po(stream, catalogue, width=100, include_lineno=False, omit_header=False)
    path.with_suffix(".mo").write_bytes(compiled(catalogue))
    return faults_of(catalogue, wanted_texts(language))


def letters() -> str:
    """Return, sorted, each character that a font for our reports must have.

    Names hold more than the catalogues: the 2,350 syllables of KS X 1001 and every
    Vietnamese letter are among them.
    """
    hangul = bytes(
        byte for lead in range(0xB0, 0xC9) for trail in range(0xA1, 0xFF) for byte in (lead, trail)
    ).decode("euc_kr")
    vietnamese = "ĂăĐđĨĩŨũƠơƯư" + "".join(map(chr, range(0x1EA0, 0x1EFA)))
    latin = "".join(map(chr, [*range(0x20, 0x7F), *range(0xA0, 0x180)]))
    texts = [str(one.string) + str(one.id) for name in LANGUAGES for one in read_catalogue(name)]
    found = set("".join([hangul, vietnamese, latin, "–—‘’“”…▲", *texts]))
    return "".join(sorted(one for one in found if one.isprintable()))


def main() -> int:
    """Bring all catalogues up to date; the exit status tells whether they are complete."""
    faults = {language: update(language) for language in LANGUAGES}
    for language, found in faults.items():
        sys.stdout.write("".join(f"{language}: {fault}\n" for fault in found))
    return int(any(faults.values()))


if __name__ == "__main__":
    sys.exit(main())
