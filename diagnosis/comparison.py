"""A film beside an earlier one of the same patient: what is newly marked, and what no longer is."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from diagnosis import display
from diagnosis.models import Analysis, Film
from diagnosis.selectors import is_marked
from diagnosis.states import Status
from policy.rules import Policy
from policy.selectors import present


@dataclass(frozen=True)
class Comparison:
    """The earlier film and the change in words.

    changes: whole sentences; empty where one of the two was not read
    caution: why the two should be compared with care, as sentences
    """

    film: Film
    picture_url: str
    changes: list[str]
    caution: list[str]


def compare(now: Analysis, prior: Film) -> Comparison:
    """What changed between the prior film's newest reading and this one."""
    before = next(iter(prior.analyses.all()), None)
    url = ""
    if before is not None and "film" in before.images:
        url = reverse("diagnosis:image", args=[before.id, "film"])
    return Comparison(prior, url, changes_of(now, before), cautions_of(now, before, prior))


def changes_of(now: Analysis, before: Analysis | None) -> list[str]:
    """Findings newly above, no longer above and still above their operating points."""
    if before is None or {now.status, before.status} != {Status.SUCCEEDED}:
        return [_("One of the two films was not read: nothing can be compared in words.")]
    policy = present()
    new, old = marked_of(now, policy), marked_of(before, policy)
    sentences = {
        _("Newly marked: %(names)s."): [code for code in new if code not in old],
        _("No longer marked: %(names)s."): [code for code in old if code not in new],
        _("Marked on both: %(names)s."): [code for code in new if code in old],
    }
    said = [
        sentence % {"names": ", ".join(display.name_of(code) for code in codes)}
        for sentence, codes in sentences.items()
        if codes
    ]
    return said or [_("Nothing is marked on either film.")]


def marked_of(analysis: Analysis, policy: Policy) -> list[str]:
    """Codes of the marked findings, most probable first."""
    return [row.code for row in analysis.findings.all() if is_marked(row, policy)]


def cautions_of(now: Analysis, before: Analysis | None, prior: Film) -> list[str]:
    """What else differs between the two films."""
    cautions = []
    if before is not None and before.release != now.release:
        cautions.append(_("They were read by different releases."))
    if prior.view and now.film.view and prior.view != now.film.view:
        words = _("The views differ: %(before)s before, %(now)s now.")
        cautions.append(words % {"before": prior.view, "now": now.film.view})
    return cautions
