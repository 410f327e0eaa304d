"""The report as PDF, with a font of its own so that every name is printed on every machine."""

from __future__ import annotations

import io
import unicodedata
from functools import lru_cache
from pathlib import Path

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from PIL import Image, ImageDraw
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    KeepTogether,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)
from reportlab.platypus import Image as Picture

from diagnosis.models import Reading
from diagnosis.report import Mark, Report, added_words

FONT = "report"
FONT_FILE = Path(__file__).parent / "fonts" / "report.ttf"
MARGIN = 18 * mm
TEXT, MUTED, RULE = HexColor("#16202b"), HexColor("#51606f"), HexColor("#d3dae2")
MACHINE, OWN = (204, 41, 29), (10, 90, 168)
# Signs that people type in reports, in signs of the font.
INSTEAD = {"→": "->", "←": "<-", "≥": ">=", "≤": "<=", "≈": "~", "\u03bc": "\u00b5"}
MISSING = "?"
PICTURE_PX = 1000
PICTURE_WIDTH, PICTURE_HEIGHT = 95 * mm, 95 * mm


@lru_cache(maxsize=1)
def _register_font() -> str:
    pdfmetrics.registerFont(TTFont(FONT, str(FONT_FILE)))
    return FONT


def _style(size: float, *, colour: HexColor = TEXT, after: float = 0) -> ParagraphStyle:
    return ParagraphStyle(
        f"s{size}",
        fontName=_register_font(),
        fontSize=size,
        leading=size * 1.4,
        textColor=colour,
        spaceAfter=after,
    )


def draw_report(report: Report, *, picture: bytes | None) -> bytes:
    """Write the report as PDF, A4.

    picture: the film as PNG, None where there is none
    """
    buffer = io.BytesIO()
    title = _("Chest film report")
    document = BaseDocTemplate(
        buffer, pagesize=A4, title=title, author="xraydx", invariant=1,
        leftMargin=MARGIN, rightMargin=MARGIN, topMargin=MARGIN, bottomMargin=24 * mm,
    )  # fmt: skip
    frame = Frame(MARGIN, 24 * mm, A4[0] - 2 * MARGIN, A4[1] - MARGIN - 24 * mm, 0, 0, 0, 0)
    foot = _foot_of(report)
    page = PageTemplate("page", [frame], onPage=lambda canvas, _doc: _draw_foot(canvas, foot))
    document.addPageTemplates([page])
    document.build(_story(report, picture, title))
    return buffer.getvalue()


def _story(report: Report, picture: bytes | None, title: str) -> list[Flowable]:
    plain, small = _style(10), _style(8.5, colour=MUTED)
    story: list[Flowable] = [
        Paragraph(_escape(title), _style(17, after=1 * mm)),
        Paragraph(_escape(state_of(report)), small),
        Spacer(1, 4 * mm),
        _pairs(facts_of(report)),
        Spacer(1, 5 * mm),
    ]
    if _lacks_letters(report):
        said = _("A question mark stands for letters that this print does not have: see the page.")
        story[-1:] = [Paragraph(_escape(said), small), Spacer(1, 5 * mm)]
    for line in report.text.splitlines():
        story.append(Paragraph(_escape(line) or "&nbsp;", plain))
    if words := added_words(report):
        story += [Spacer(1, 2 * mm), Paragraph(_escape(words), plain)]
    if report.reading and report.reading.note:
        note = _("Note: %(note)s") % {"note": report.reading.note}
        story += [Spacer(1, 2 * mm), Paragraph(_escape(note), plain)]
    story += [Spacer(1, 5 * mm), KeepTogether(_evidence(report, picture))]
    return story


def _evidence(report: Report, picture: bytes | None) -> list[Flowable]:
    """Film with boxes beside the networks' figures."""
    small = _style(8.5, colour=MUTED)
    legend = _("Red: marked by the networks. Blue: drawn by the physician.")
    left: list[Flowable] = []
    if picture is not None:
        left = [_film(picture, report.marks), Spacer(1, 1 * mm), Paragraph(_escape(legend), small)]
    width = A4[0] - 2 * MARGIN - PICTURE_WIDTH - 6 * mm
    right: list[Flowable] = [_findings(report, width)]
    table = Table([[left, right]], colWidths=[PICTURE_WIDTH + 6 * mm, width])
    table.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), *_no_padding()]))
    return [table]


def _findings(report: Report, width: float) -> Table:
    small, head = _style(9), _style(8.5, colour=MUTED)
    titles = (_("Network"), _("Probability, marked from"), _("Physician"))
    rows = [[Paragraph(_escape(title), head) for title in titles]]
    for row in report.rows:
        mark = "▲ " if row.marked else ""
        cells = (mark + row.name, f"{row.probability} / {row.threshold}", row.verdict or "–")
        rows.append([Paragraph(_escape(cell), small) for cell in cells])
    table = Table(rows, colWidths=[width * 0.44, width * 0.28, width * 0.28])
    style = [("LINEBELOW", (0, 0), (-1, -1), 0.4, RULE), ("VALIGN", (0, 0), (-1, -1), "TOP")]
    table.setStyle(TableStyle([*style, ("LEFTPADDING", (0, 0), (-1, -1), 0)]))
    return table


def _pairs(facts: list[tuple[str, str]]) -> Table:
    label, value = _style(9, colour=MUTED), _style(10)
    rows = [[Paragraph(_escape(a), label), Paragraph(_escape(b), value)] for a, b in facts]
    table = Table(rows, colWidths=[38 * mm, A4[0] - 2 * MARGIN - 38 * mm])
    table.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), *_no_padding()]))
    return table


def _no_padding() -> list[tuple[str, tuple[int, int], tuple[int, int], float]]:
    sides = ("LEFTPADDING", "RIGHTPADDING", "TOPPADDING", "BOTTOMPADDING")
    return [(side, (0, 0), (-1, -1), 0.6 * mm if "T" in side[:3] else 0) for side in sides]


def _film(png: bytes, marks: list[Mark]) -> Picture:
    """The film with its boxes, as a picture that fits its place."""
    film = Image.open(io.BytesIO(png)).convert("RGB")
    film.thumbnail((PICTURE_PX, PICTURE_PX))
    draw = ImageDraw.Draw(film)
    for mark in marks:
        x0, y0, x1, y1 = mark.box
        corners = (x0 * film.width, y0 * film.height, x1 * film.width, y1 * film.height)
        draw.rectangle(corners, outline=OWN if mark.own else MACHINE, width=5)
    buffer = io.BytesIO()
    film.save(buffer, "JPEG", quality=88)
    buffer.seek(0)
    scale = min(PICTURE_WIDTH / film.width, PICTURE_HEIGHT / film.height)
    return Picture(buffer, film.width * scale, film.height * scale, hAlign="LEFT")


def state_of(report: Report) -> str:
    """Preliminary or final, by whom and when."""
    reading = report.reading
    if reading is None and report.elsewhere is not None:
        return _read_again(report.elsewhere)
    if reading is None:
        return _("Preliminary: by the networks alone, not signed by a physician.")
    at = date_format(localtime(reading.signed_at), "SHORT_DATETIME_FORMAT")
    said = {"by": str(reading.signed_by), "at": at, "version": reading.version}
    if reading.version > 1:
        return _("Final, amended: version %(version)d, signed by %(by)s, %(at)s.") % said
    return _("Final: signed by %(by)s, %(at)s.") % said


def _read_again(signed: Reading) -> str:
    at = date_format(localtime(signed.signed_at), "SHORT_DATETIME_FORMAT")
    words = _("Preliminary: the film was read again after %(by)s had signed it, %(at)s.")
    return words % {"by": str(signed.signed_by), "at": at}


def facts_of(report: Report) -> list[tuple[str, str]]:
    """Patient, film and release as pairs of label and value."""
    film = report.analysis.film
    patient = film.patient
    who = " · ".join(
        str(part) for part in (patient.get_sex_display(), patient.age) if part not in (None, "")
    )
    at = date_format(localtime(film.uploaded_at), "SHORT_DATETIME_FORMAT")
    return [
        (_("Patient"), patient.display_name),
        (_("Sex and age"), who),
        (_("Number"), patient.number),
        (_("Film"), " · ".join(part for part in (film.view, at) if part)),
        (_("Release of the networks"), report.analysis.release),
    ]


def _foot_of(report: Report) -> list[str]:
    return [
        _("Not for diagnosis without a physician."),
        _("The networks miss findings: a film without marks is not a normal film."),
        _("Release %(release)s.") % {"release": report.analysis.release},
    ]


def _draw_foot(canvas: Canvas, lines: list[str]) -> None:
    canvas.saveState()
    canvas.setStrokeColor(RULE)
    canvas.line(MARGIN, 19 * mm, A4[0] - MARGIN, 19 * mm)
    canvas.setFont(_register_font(), 8)
    canvas.setFillColor(MUTED)
    canvas.drawString(MARGIN, 14.5 * mm, f"{lines[0]} {lines[1]}")
    canvas.drawString(MARGIN, 10.5 * mm, lines[2])
    canvas.drawRightString(A4[0] - MARGIN, 10.5 * mm, str(canvas.getPageNumber()))
    canvas.restoreState()


def printable(text: str) -> str:
    """The text in letters of the font; one that has no like there becomes MISSING."""
    held, whole = _letters(), unicodedata.normalize("NFC", text)
    return "".join(letter if ord(letter) in held else _like(letter) for letter in whole)


def _like(letter: str) -> str:
    if unicodedata.category(letter) in {"Cc", "Cf"} or "\ufe00" <= letter <= "\ufe0f":
        return " " if letter == "\t" else ""  # the others take no place of their own
    like = INSTEAD.get(letter) or unicodedata.normalize("NFKC", letter)
    return like if all(ord(part) in _letters() for part in like) else MISSING


@lru_cache(maxsize=1)
def _letters() -> frozenset[int]:
    return frozenset(pdfmetrics.getFont(_register_font()).face.charToGlyph)


def _lacks_letters(report: Report) -> bool:
    """Whether something that people wrote holds letters that are printed as MISSING."""
    note = report.reading.note if report.reading else ""
    said = [report.text, note, state_of(report), *report.added]
    said += [value for _label, value in facts_of(report)]
    return any(printable(text).count(MISSING) > text.count(MISSING) for text in said)


def _escape(text: str) -> str:
    text = printable(text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
