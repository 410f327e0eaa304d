"""The report: its draft, its page, its PDF, and that no name loses a letter in it."""

import io

import pytest
from pypdf import PdfReader
from reportlab.pdfbase.ttfonts import TTFont

from diagnosis import readings, report, report_pdf
from diagnosis.models import Analysis
from diagnosis.readings import Added
from policy.services import change_policy
from tests.accounts.factories import client_of, make_administrator, make_nurse, make_physician
from tests.diagnosis.factories import make_film, make_result
from tests.patients.factories import make_patient, make_visit


def result_of(family: str, given: str) -> Analysis:
    patient = make_patient(family_name=family, given_name=given)
    return make_result(make_film(make_visit(patient)))


def pdf_text(analysis: Analysis) -> str:
    answer = client_of(make_physician()).get(f"/analyses/{analysis.id}/report.pdf")
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == "inline; filename=report.pdf"
    assert answer["Cache-Control"] == "private, no-store"
    pages = PdfReader(io.BytesIO(answer.content)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("family", "given"),
    [("Kim", "Ara"), ("박", "지훈똠"), ("Nguyễn", "Thị Ngọc Ánh"), ("O<b>", "&")],
)
def test_every_name_is_printed_whole(family: str, given: str) -> None:
    text = pdf_text(result_of(family, given))
    assert family in text
    assert given in text
    assert "Not for diagnosis without a physician." in text


@pytest.mark.django_db
def test_a_letter_that_the_font_lacks_is_marked_and_never_left_out() -> None:
    text = pdf_text(result_of("金", "Иван"))
    assert "?, ????" in text
    assert "A question mark stands for letters that this print does not have" in text
    assert "A question mark" not in pdf_text(result_of("Kim", "Ara"))


def test_signs_that_people_type_are_printed_in_signs_of_the_font() -> None:
    typed = "ratio ≥ 0.5 → 5 \u03bcm, 3㎝, é as e\u0301"
    assert report_pdf.printable(typed) == "ratio >= 0.5 -> 5 \u00b5m, 3cm, é as é"
    assert report_pdf.printable("漢字 👍") == "?? ?"


def test_the_font_holds_hangul_and_vietnamese_and_its_licence_is_beside_it() -> None:
    held = TTFont("tried", str(report_pdf.FONT_FILE)).face.charToGlyph
    wanted = [*range(0xAC00, 0xD7A4), *range(0x20, 0x7F), *range(0x1EA0, 0x1EFA)]
    wanted += [ord(letter) for letter in "ăâđêôơưĂÂĐÊÔƠƯ▲·–×"]
    assert [chr(code) for code in wanted if code not in held] == []
    assert "SIL OPEN FONT LICENSE" in (report_pdf.FONT_FILE.parent / "OFL.txt").read_text()


@pytest.mark.django_db
def test_unsigned_it_says_so_and_signed_it_says_by_whom() -> None:
    analysis, physician = result_of("Kim", "Ara"), make_physician(full_name="Dr Park")
    assert "Preliminary: by the networks alone" in pdf_text(analysis)
    readings.sign_reading(
        analysis=analysis,
        by=physician,
        findings={"Effusion": "agree", "Pneumothorax": "disagree"},
        added=[Added("other", words="rib fracture", box=(0.1, 0.1, 0.3, 0.3))],
        report="Small effusion.\nRib fracture on the right.",
    )
    text = pdf_text(analysis)
    for words in ("Final: signed by Dr Park", "Small effusion.", "Rib fracture", "Disagree"):
        assert words in text
    assert analysis.release in text


@pytest.mark.django_db
def test_the_page_draws_boxes_of_networks_and_physician_apart() -> None:
    analysis = make_result()
    readings.sign_reading(
        analysis=analysis,
        by=make_physician(),
        verdict="disagree",
        added=[Added("Nodule", box=(0.1, 0.1, 0.3, 0.3))],
    )
    text = client_of(make_physician()).get(f"/analyses/{analysis.id}/report/").text
    assert text.count('class="mark-machine"') == 1
    assert text.count('class="mark-own"') == 1


@pytest.mark.django_db
def test_a_draft_names_what_is_marked_and_the_ratio() -> None:
    analysis = make_result()
    lines = report.draft(analysis, ["Effusion"]).splitlines()
    assert lines[0].startswith("Chest film, PA view, sent on ")
    assert lines[1] == "Marked by the network, not judged yet: Effusion."
    assert lines[2] == "Heart to chest width 0.47."
    assert "No finding that needs action." in report.draft(analysis, [])


@pytest.mark.django_db
def test_signed_without_words_it_holds_none_of_the_networks() -> None:
    analysis = make_result()
    readings.sign_reading(analysis=analysis, by=make_physician(), findings={"Effusion": "disagree"})
    found = report.report_of(Analysis.objects.get(id=analysis.id))
    assert found.is_final
    assert found.text == "Signed without words: the verdicts stand in the table."


@pytest.mark.django_db
def test_once_signed_it_stays_when_the_rules_of_the_site_change() -> None:
    analysis = make_result()
    given = {"Effusion": "agree", "Pneumothorax": "agree"}
    readings.sign_reading(analysis=analysis, by=make_physician(), findings=given, report="Both.")
    signed = report.report_of(Analysis.objects.get(id=analysis.id))
    muted = frozenset({"Effusion", "Pneumothorax"})
    change_policy(by=make_administrator(), version=0, muted=muted, dangerous=())
    assert report.report_of(Analysis.objects.get(id=analysis.id)).rows == signed.rows
    other = report.report_of(make_result())
    assert not any(row.marked for row in other.rows)


@pytest.mark.django_db
def test_what_the_physician_added_is_named_though_no_box_was_drawn() -> None:
    analysis = make_result()
    readings.sign_reading(
        analysis=analysis,
        by=make_physician(),
        added=[Added("Nodule"), Added("other", words="clip")],
    )
    words = "Added by the physician: Nodule, clip."
    assert words in client_of(make_physician()).get(f"/analyses/{analysis.id}/report/").text
    assert words in pdf_text(analysis)


@pytest.mark.django_db
def test_a_film_read_again_after_it_was_signed_still_names_the_signature() -> None:
    film = make_film()
    signed = make_result(film)
    physician = make_physician(full_name="Dr Park")
    readings.sign_reading(analysis=signed, by=physician, verdict="agree", report="Small effusion.")
    again = make_result(film)
    client = client_of(make_nurse())
    for address in (f"/films/{film.id}/", f"/analyses/{again.id}/report/"):
        text = client.get(address).text
        assert "Dr Park" in text
        assert f"/analyses/{signed.id}/report/" in text
        assert "not signed by a physician" not in text
        assert "Not signed yet." not in text
    assert "read again after Dr Park had signed it" in pdf_text(again)
