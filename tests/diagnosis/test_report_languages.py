"""The report's PDF in Korean and Vietnamese, read back."""

import io

import pytest
from django.utils import translation
from pypdf import PdfReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from diagnosis import report, report_pdf
from tests.access.english import english_in
from tests.accounts.factories import client_of, make_physician
from tests.diagnosis.factories import make_film, make_result
from tests.patients.factories import make_patient, make_visit

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("language", "family", "given", "shown", "title"),
    [
        ("ko", "김", "아라", "김아라", "흉부 X선 판독문"),
        ("ko", "Nguyễn", "Thị Ngọc Ánh", "Nguyễn Thị Ngọc Ánh", "기흉"),
        ("vi", "Nguyễn", "Thị Ngọc Ánh", "Nguyễn Thị Ngọc Ánh", "Phiếu kết quả X-quang ngực"),
        ("vi", "Võ", "Linh", "Võ Linh", "Tràn khí màng phổi"),
    ],
)
def test_the_pdf_is_wholly_in_its_language(
    language: str, family: str, given: str, shown: str, title: str
) -> None:
    patient = make_patient(family_name=family, given_name=given)
    analysis = make_result(make_film(make_visit(patient)))
    physician = make_physician(preferences={"language": language})
    answer = client_of(physician).get(f"/analyses/{analysis.id}/report.pdf")
    pages = PdfReader(io.BytesIO(answer.content)).pages
    text = "\n".join(page.extract_text() for page in pages)
    whole = " ".join(text.split())
    assert shown in whole
    assert title in whole
    assert english_in([line.strip() for line in text.splitlines()], language) == []
    held = TTFont("tried", str(report_pdf.FONT_FILE)).face.charToGlyph
    assert {one for one in whole if ord(one) not in held} == set()


@pytest.mark.parametrize("language", ["en", "ko", "vi"])
def test_the_foot_fits_on_its_line(language: str) -> None:
    analysis = make_result()
    with translation.override(language):
        foot = report_pdf._foot_of(report.report_of(analysis))
    width = pdfmetrics.stringWidth(f"{foot[0]} {foot[1]}", report_pdf._register_font(), 8)
    assert width <= report_pdf.A4[0] - 2 * report_pdf.MARGIN
