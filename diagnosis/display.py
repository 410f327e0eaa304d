"""Rows of an analysis as a page shows them: words, figures and bars."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from diagnosis import selectors
from diagnosis.models import Analysis, Film, Finding, Lesion
from diagnosis.states import Status
from ml import bundle, classify
from ml.bundle import OperatingPoint
from policy import curves
from policy.rules import Policy
from policy.selectors import present
from xraydx.errors import UserError, message_for

STRIP_LENGTH = 12
DEFAULT_POLICY = Policy()
# Thresholds are stored with six digits.
SAME_POINT = 1e-5
# The first looks come quickly; a film that waits long is asked after less often.
POLL_MS = (400, 5000)

# The vocabulary's words again, where translation finds them; a test compares the two.
NAMES: dict[str, tuple[str | Promise, str | Promise]] = {
    "Atelectasis": (lazy("Atelectasis"), lazy("collapsed lung tissue")),
    "Cardiomegaly": (lazy("Cardiomegaly"), lazy("enlarged heart")),
    "Effusion": (lazy("Effusion"), lazy("fluid around the lung")),
    "Infiltration": (lazy("Infiltration"), lazy("ill-defined opacity")),
    "Mass": (lazy("Mass"), lazy("mass over 3 cm")),
    "Nodule": (lazy("Nodule"), lazy("nodule up to 3 cm")),
    "Pneumonia": (lazy("Pneumonia"), lazy("lung infection")),
    "Pneumothorax": (lazy("Pneumothorax"), lazy("air around the lung")),
    "Consolidation": (lazy("Consolidation"), lazy("lung filled with fluid or cells")),
    "Edema": (lazy("Edema"), lazy("fluid in the lungs")),
    "Emphysema": (lazy("Emphysema"), lazy("destroyed air spaces")),
    "Fibrosis": (lazy("Fibrosis"), lazy("scarring of the lung")),
    "Pleural_Thickening": (lazy("Pleural thickening"), lazy("thickened pleura")),
}


@dataclass(frozen=True)
class FindingCard:
    """One finding in words; bar and tick are positions in 0..100.

    above: marked, which a muted finding never is; urgent: one of those that this site calls so
    words: how many of 100 films marked like this have it; assumed: the share behind that count
    """

    code: str
    name: str
    plain: str
    rank: int
    probability: str
    threshold: str
    above: bool
    urgent: bool
    muted: bool
    bar: float
    tick: float
    words: str
    assumed: str


@dataclass(frozen=True)
class Box:
    """One lesion for the viewer; place holds x0 y0 x1 y1 as fractions of the film."""

    label: str
    probability: str
    place: str


def name_of(code: str) -> str:
    """The finding's name in the reader's language; an unknown code is shown as it is."""
    return str(NAMES[code][0]) if code in NAMES else code.replace("_", " ")


def plain_of(code: str) -> str:
    """The finding in plain words."""
    return str(NAMES[code][1]) if code in NAMES else ""


def figure(value: float, digits: int = 2) -> str:
    """A number with fixed digits in the reader's notation."""
    return number_format(round(value, digits), decimal_pos=digits, use_l10n=True)


def true_in_100(point: OperatingPoint | None, prevalence: float | None) -> int | None:
    """Of 100 films above the operating point, how many have the disease; None if unknown."""
    found = classify.true_in_100(point, prevalence) if point and prevalence else None
    return None if found is None else round(found)


def card_of(
    finding: Finding,
    point: OperatingPoint | None = None,
    prevalence: float | None = None,
    policy: Policy = DEFAULT_POLICY,
) -> FindingCard:
    """One finding with its words; the count in 100 needs the figures of its operating point."""
    words = assumed = ""
    count = true_in_100(point, prevalence)
    marked = selectors.is_marked(finding, policy)
    if marked and count is not None and prevalence is not None:
        words = _("Of 100 films marked like this, about %(count)d have it.") % {"count": count}
        share = figure(100 * prevalence, 0 if prevalence >= 0.1 else 1)
        assumed = _("Assumed: %(share)s of 100 films have it.") % {"share": share}
    return FindingCard(
        code=finding.code,
        name=name_of(finding.code),
        plain=plain_of(finding.code),
        rank=finding.rank,
        probability=figure(finding.probability),
        threshold=figure(finding.threshold),
        above=marked,
        urgent=finding.code in policy.dangerous,
        muted=finding.above and not marked,
        bar=round(100 * finding.probability, 1),
        tick=round(100 * finding.threshold, 1),
        words=words,
        assumed=assumed,
    )


def cards_of(
    findings: Iterable[Finding],
    points: Mapping[str, OperatingPoint],
    prevalences: Mapping[str, float],
    policy: Policy = DEFAULT_POLICY,
) -> list[FindingCard]:
    """Cards in the order of the findings.

    points: the release's own; a finding that was marked by another gets no count of theirs
    """
    return [card_of(f, _point_of(f, points), prevalences.get(f.code), policy) for f in findings]


def _point_of(finding: Finding, points: Mapping[str, OperatingPoint]) -> OperatingPoint | None:
    point = points.get(finding.code)
    same = point is not None and abs(point.threshold - finding.threshold) < SAME_POINT
    return point if same else None


def boxes_of(lesions: Iterable[Lesion], findings: Iterable[Finding] = ()) -> list[Box]:
    """The lesions that pass their operating point, each with its finding's probability."""
    probabilities = {row.code: figure(row.probability) for row in findings}
    return [
        Box(
            label=name_of(lesion.label),
            probability=probabilities.get(lesion.label, ""),
            place=f"{lesion.x0:.4f} {lesion.y0:.4f} {lesion.x1:.4f} {lesion.y1:.4f}",
        )
        for lesion in lesions
        if lesion.shown
    ]


@dataclass(frozen=True)
class Figure:
    """One number about the whole film, with what it means."""

    label: str
    value: str
    title: str = ""


@dataclass(frozen=True)
class StripItem:
    """One of the patient's films in a list."""

    film: Film
    analysis: Analysis | None
    headline: str
    urgent: bool
    thumb: str = ""


def chosen_analysis(film: Film, wanted: str | None) -> Analysis:
    """The reading that was asked for, else the last one; a film always has one."""
    readings = list(film.analyses.all())
    return next((row for row in readings if str(row.id) == wanted), readings[0])


def film_context(film: Film, analysis: Analysis, policy: Policy | None = None) -> dict[str, Any]:
    """Everything that the reading view shows of one analysis.

    policy: the site's rules, here and below asked for where None
    """
    policy = policy or present()
    points, prevalences = figures_of_release(analysis.release)
    prevalences = {**prevalences, **policy.prevalence}
    shown = selectors.findings_to_show(analysis, policy)
    findings = list(analysis.findings.all())
    points = {**points, **points_of_site(analysis.release, findings, points, prevalences)}
    return {
        "film": film,
        "patient": film.patient,
        "visit": film.visit,
        "analysis": analysis,
        "analyses": list(film.analyses.all()),
        "newer_release": _is_outdated(analysis, policy),
        "picture_urls": picture_urls(analysis),
        "cards": cards_of(shown, points, prevalences, policy),
        "all_cards": cards_of(findings, points, prevalences, policy),
        "any_above": any(selectors.is_marked(row, policy) for row in findings),
        "boxes": boxes_of(analysis.lesions.all(), findings),
        "figures": figures_of(analysis),
        "seconds": seconds_of(analysis),
        **waiting_context(analysis),
    }


def row_context(analysis: Analysis) -> dict[str, object]:
    """What a line about one analysis shows."""
    return {"headline": headline_of(analysis), **waiting_context(analysis)}


def waiting_context(analysis: Analysis) -> dict[str, object]:
    """The analysis, the words of its reason, and when to ask again."""
    context: dict[str, object] = {"analysis": analysis, "poll_ms": poll_ms(analysis)}
    if analysis.reason:
        what, do = message_for(analysis.reason).fill({})
        context["message"] = {"what": what, "do": do}
    return context


def poll_ms(analysis: Analysis) -> int:
    """Milliseconds until the next look at an analysis on its way: a quarter of its age."""
    age_ms = (timezone.now() - analysis.created_at).total_seconds() * 1000
    return int(min(max(age_ms / 4, POLL_MS[0]), POLL_MS[1]))


def picture_urls(analysis: Analysis) -> dict[str, str]:
    """Name of a picture → its address."""
    return {name: reverse("diagnosis:image", args=[analysis.id, name]) for name in analysis.images}


def seconds_of(analysis: Analysis) -> str:
    """Time from the request to the result."""
    if analysis.finished_at is None:
        return ""
    return figure((analysis.finished_at - analysis.created_at).total_seconds(), 1)


def figures_of(analysis: Analysis) -> list[Figure]:
    """The numbers about the whole film."""
    rows = []
    if analysis.abnormal is not None:
        rows.append(
            Figure(
                _("Abnormal overall"),
                figure(analysis.abnormal),
                _("Probability that the film is not normal."),
            )
        )
    names = {"unet": _("Unusual by U-Net"), "reversed_ae": _("Unusual by reversed AE")}
    for key, label in names.items():
        found = (analysis.anomaly or {}).get(key)
        if found:
            rows.append(Figure(label, *_unusual(found)))
    ratio = ratio_of(analysis)
    if ratio is not None:
        title = _("On a PA film of an adult, more than 0.50 is wide; an AP film shows it wider.")
        rows.append(Figure(_("Heart to chest width"), figure(ratio), title))
    rows.append(Figure(_("Release"), analysis.release))
    return rows


def ratio_of(analysis: Analysis) -> float | None:
    """The heart's width over the chest's, None where it was not measured."""
    ratio: float | None = (analysis.anatomy or {}).get("cardiothoracic_ratio")
    return ratio


def _unusual(found: Mapping[str, float]) -> tuple[str, str]:
    """found["score"]: percent of normal films that look less unusual."""
    words = _("above %(count)d %% of normal films") % {"count": int(found["score"])}
    return words, _("How far the film is from the normal films that the network learned.")


def headline_of(analysis: Analysis, policy: Policy | None = None) -> str:
    """The analysis in a few words: the first finding that is marked, or where it stands."""
    if analysis.status != Status.SUCCEEDED:
        return str(analysis.get_status_display())
    policy = policy or present()
    shown = selectors.findings_to_show(analysis, policy)
    marked = [row for row in shown if selectors.is_marked(row, policy)]
    if not marked:
        return _("Nothing marked")
    more = f" +{len(marked) - 1}" if len(marked) > 1 else ""
    return f"{name_of(marked[0].code)} {figure(marked[0].probability)}{more}"


def strip_of(
    films: Iterable[Film],
    *,
    hidden: frozenset[UUID] = frozenset(),
    policy: Policy | None = None,
) -> list[StripItem]:
    """The patient's films in words, in the order given.

    hidden: analyses whose findings wait for the reader's first look
    """
    policy = policy or present()
    return [_strip_item(film, policy, hidden) for film in films]


def _strip_item(film: Film, policy: Policy, hidden: frozenset[UUID]) -> StripItem:
    analysis = next(iter(film.analyses.all()), None)
    if analysis is None:
        return StripItem(film, None, "", urgent=False)
    thumb = reverse("diagnosis:image", args=[analysis.id, "thumb"])
    thumb = thumb if "thumb" in analysis.images else ""
    if analysis.id in hidden:
        return StripItem(film, analysis, _("Your first look"), urgent=False, thumb=thumb)
    marked = (row for row in analysis.findings.all() if selectors.is_marked(row, policy))
    urgent = any(row.code in policy.dangerous for row in marked)
    return StripItem(film, analysis, headline_of(analysis, policy), urgent=urgent, thumb=thumb)


def figures_of_release(
    name: str,
) -> tuple[Mapping[str, OperatingPoint], Mapping[str, float]]:
    """Operating points and assumed shares of films with the disease, by disease.

    Empty for a release that is not installed any more: its findings keep their thresholds.
    """
    try:
        release = curves.installed(name)
    except bundle.ReleaseError:
        return {}, {}
    return release.operating_points, release.bundles["classifier"].spec.prevalence


def points_of_site(
    name: str,
    findings: Iterable[Finding],
    own: Mapping[str, OperatingPoint],
    prevalences: Mapping[str, float],
) -> dict[str, OperatingPoint]:
    """What the site's thresholds do, for findings marked by another than the release's own."""
    points = {}
    for row in findings:
        if row.code not in own or _point_of(row, own) is not None:
            continue
        effect = curves.effect_of(
            curves.installed(name), row.code, row.threshold, prevalence=prevalences[row.code]
        )
        points[row.code] = OperatingPoint(row.threshold, effect.sensitivity, effect.specificity)
    return points


def _is_outdated(analysis: Analysis, policy: Policy) -> bool:
    try:
        return analysis.release != selectors.current_release(policy)
    except UserError:  # without a release there is nothing newer to offer
        return False
