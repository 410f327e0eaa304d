"""What pages say of an analysis: words, figures, and how often they ask."""

from datetime import timedelta

import pytest
from django.utils import timezone

from diagnosis import display, selectors
from diagnosis.models import Analysis, Finding
from ml.bundle import OperatingPoint
from ml.vocabulary import DISEASES
from policy import curves
from tests.diagnosis.factories import (
    make_analysis,
    make_film,
    make_outcome,
    make_refusal,
    make_result,
)

POINT = OperatingPoint(threshold=0.2, sensitivity=0.8, specificity=0.9)


def make_finding(**values: object) -> Finding:
    given = {"code": "Effusion", "probability": 0.62, "threshold": 0.2, "above": True, "rank": 1}
    return Finding(**{**given, **values})


def test_the_words_are_those_of_the_vocabulary() -> None:
    plain = {disease.name: disease.plain for disease in DISEASES}
    assert {code: str(words[1]) for code, words in display.NAMES.items()} == plain
    assert display.name_of("Pleural_Thickening") == "Pleural thickening"


def test_of_100_marked_films_as_many_have_it_as_bayes_says() -> None:
    # 0.8 × 0.1 = 0.08 are marked and have it, 0.1 × 0.9 = 0.09 are marked and have it not.
    assert display.true_in_100(POINT, 0.1) == 47


@pytest.mark.parametrize(
    ("point", "prevalence"), [(None, 0.1), (OperatingPoint(0.2), 0.1), (POINT, None), (POINT, 0)]
)
def test_no_count_is_given_without_the_figures_for_it(
    point: OperatingPoint | None, prevalence: float | None
) -> None:
    assert display.true_in_100(point, prevalence) is None
    assert display.card_of(make_finding(), point, prevalence).words == ""


def test_only_a_marked_finding_gets_the_sentence_of_marked_films() -> None:
    marked = display.card_of(make_finding(), POINT, 0.1)
    other = display.card_of(make_finding(probability=0.1, above=False), POINT, 0.1)
    assert marked.words == "Of 100 films marked like this, about 47 have it."
    assert (other.words, other.above) == ("", False)


def test_a_probability_stands_with_two_digits_and_its_bar_in_hundredths() -> None:
    card = display.card_of(make_finding(probability=0.6249, threshold=0.157))
    assert (card.probability, card.threshold) == ("0.62", "0.16")
    assert (card.bar, card.tick) == (62.5, 15.7)


def test_a_finding_that_no_vocabulary_knows_is_shown_by_its_code() -> None:
    card = display.card_of(make_finding(code="Hiatal_Hernia"))
    assert (card.name, card.plain, card.urgent) == ("Hiatal Hernia", "", False)


@pytest.mark.parametrize(("age_s", "wait_ms"), [(0, 400), (4, 1000), (3600, 5000)])
def test_a_film_that_waits_long_is_asked_after_less_often(age_s: int, wait_ms: int) -> None:
    analysis = Analysis(created_at=timezone.now() - timedelta(seconds=age_s))
    assert abs(display.poll_ms(analysis) - wait_ms) <= 20


@pytest.mark.django_db
def test_only_boxes_that_pass_their_point_are_drawn() -> None:
    boxes = display.boxes_of(make_result().lesions.all())
    assert [(box.label, box.place) for box in boxes] == [
        ("Effusion", "0.1000 0.5500 0.4000 0.9000")
    ]


@pytest.mark.django_db
def test_the_headline_names_the_dangerous_finding_and_counts_the_others() -> None:
    assert display.headline_of(make_result()) == "Pneumothorax 0.22 +1"


@pytest.mark.django_db
def test_the_headline_of_a_quiet_film_does_not_call_it_normal() -> None:
    quiet = make_outcome()
    rows = [row.__class__(row.code, 0.01, row.threshold, row.rank) for row in quiet.findings]
    assert display.headline_of(make_result(findings=rows)) == "Nothing marked"


@pytest.mark.django_db
def test_a_refused_film_has_words_and_no_findings() -> None:
    analysis = selectors.newest_analysis(make_refusal(reason="blank").film)
    assert analysis
    context = display.film_context(analysis.film, analysis)
    assert context["cards"] == []
    assert "blank" in str(context["message"]["what"])  # type: ignore[index]


@pytest.mark.django_db
def test_the_reading_that_is_asked_for_is_shown_and_else_the_newest() -> None:
    film = make_film()
    older = make_result(film)
    newer = make_analysis(film, release="2026-02-02")
    assert display.chosen_analysis(film, str(older.id)) == older
    assert display.chosen_analysis(film, None) == newer
    assert display.chosen_analysis(film, "nonsense") == newer


@pytest.mark.django_db
def test_a_release_that_is_gone_leaves_the_findings_their_thresholds() -> None:
    analysis = make_result()
    context = display.film_context(analysis.film, analysis)
    assert [card.words for card in context["cards"]] == [""] * len(context["cards"])  # type: ignore[arg-type,attr-defined]


@pytest.mark.django_db
def test_a_finding_marked_by_the_sites_own_point_is_counted_by_that_point() -> None:
    release = display.selectors.current_release()
    held = curves.installed(release)
    own = held.operating_points["Effusion"].threshold
    words = []
    for threshold in (own, own + 0.2):
        finding = make_finding(threshold=threshold, probability=0.99)
        points = display.points_of_site(
            release, [finding], held.operating_points, {"Effusion": 0.1}
        )
        both = {**held.operating_points, **points}
        [card] = display.cards_of([finding], both, {"Effusion": 0.1})
        words.append(card.words)
    assert all(word.startswith("Of 100 films marked like this") for word in words)
    assert words[0] != words[1]
