"""What people say of a film: first looks, and signed readings, each a version that stays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from accounts.models import User
from accounts.permissions import Capability, may, require
from audit.services import record
from ml.vocabulary import NAMES
from patients.services import attend
from patients.validation import check_one_line
from policy.rules import Policy
from policy.selectors import present
from xraydx.errors import Conflict, UserError

from .models import Analysis, FirstLook, Reading
from .states import Status

REPORT_LENGTH = 8000
NOTE_LENGTH = 4000
WORDS_LENGTH = 120
ADDED_AT_MOST = 20
OTHER = "other"
PREFERENCE = "hide_until_first_look"


@dataclass(frozen=True)
class Added:
    """A finding that the networks missed.

    code: one of the vocabulary's or OTHER, which needs words; box: x0 y0 x1 y1 as fractions
    """

    code: str
    words: str = ""
    box: tuple[float, float, float, float] | None = None


def hides_until_first_look(user: User, policy: Policy | None = None) -> bool:
    """Whether this person looks first: their own choice, else the site's.

    policy: the site's rules, here and below asked for where None
    """
    own = user.preferences.get(PREFERENCE)
    return (policy or present()).hide_until_first_look if own is None else bool(own)


def is_hidden_from(user: User, analysis: Analysis, policy: Policy | None = None) -> bool:
    """Whether the networks' reading waits for this person's first look."""
    return bool(hidden_from(user, [analysis], policy))


def hidden_from(
    user: User, analyses: Iterable[Analysis], policy: Policy | None = None
) -> frozenset[UUID]:
    """The analyses that wait for this person's first look.

    Only who signs readings is asked; who has looked sees it, and everybody once it is signed.
    """
    if not may(user, Capability.sign_reading) or not hides_until_first_look(user, policy):
        return frozenset()
    read = [row for row in analyses if row.status == Status.SUCCEEDED and not row.readings.exists()]
    ids = {row.id for row in read}
    looks = FirstLook.objects.filter(user=user, analysis__in=ids)
    return frozenset(ids - set(looks.values_list("analysis_id", flat=True)))


def choose_first_look(*, by: User, hide: bool | None) -> None:
    """Keep whether the networks' reading waits for the person's first look; None is the site's."""
    with transaction.atomic():
        held = User.objects.select_for_update().get(pk=by.pk)
        if hide is None:
            held.preferences.pop(PREFERENCE, None)
        else:
            held.preferences[PREFERENCE] = hide
        held.save(update_fields=["preferences"])
        record(actor=by, action="preference.change", target=by, detail={PREFERENCE: hide})
    by.preferences = held.preferences


def record_first_look(
    *, analysis: Analysis, by: User, impression: str, codes: Iterable[str] = ()
) -> FirstLook:
    """Keep what the person saw before the networks' reading; a second time changes nothing.

    raises: Forbidden, UserError("impression_unknown"), Conflict("analysis_not_read")
    """
    patient_id = analysis.film.patient_id
    require(by, Capability.sign_reading, target=analysis, patient_id=patient_id)
    codes = sorted(set(codes))
    if impression not in FirstLook.Impression.values or not set(codes) <= set(NAMES):
        raise UserError("impression_unknown", field="impression")
    if analysis.status != Status.SUCCEEDED:
        raise Conflict("analysis_not_read")
    with transaction.atomic():
        look, created = FirstLook.objects.get_or_create(
            analysis=analysis, user=by, defaults={"impression": impression, "codes": codes}
        )
        if created:
            record(
                actor=by,
                action="first_look.record",
                target=analysis,
                patient_id=patient_id,
                detail={"impression": impression, "codes": [*codes]},
            )
            attend(by, analysis.film.patient)
    return look


def sign_reading(
    *,
    analysis: Analysis,
    by: User,
    verdict: str | None = None,
    findings: Mapping[str, str] | None = None,
    added: Iterable[Added] = (),
    report: str = "",
    note: str = "",
    after_version: int | None = None,
) -> Reading:
    """Store what a person read beside what the networks found; an amendment is a further version.

    verdict: on the whole, None where it follows from the findings' own
    findings: code → verdict on that one
    after_version: the last version that the person saw; another since then is a conflict, unless
        it is this very one, sent again because its answer was lost
    raises: Forbidden, UserError, Conflict
    """
    patient_id = analysis.film.patient_id
    require(by, Capability.sign_reading, target=analysis, patient_id=patient_id)
    findings, missed = _checked_findings(analysis, findings or {}), [*added]
    _check_added(missed)
    verdict = _checked_verdict(verdict or overall_verdict(findings, missed), findings)
    if len(report) > REPORT_LENGTH or len(note) > NOTE_LENGTH:
        raise UserError("report_too_long", field="report")
    said = {
        "verdict": verdict,
        "findings": findings,
        "added": [_as_json(item) for item in missed],
        "report": report.strip(),
        "note": note.strip(),
        "signed_by": by,
    }
    return _sign(analysis, said, after_version)


def _sign(analysis: Analysis, said: Mapping[str, Any], after_version: int | None) -> Reading:
    with transaction.atomic():
        held = Analysis.objects.select_for_update().get(id=analysis.id)
        if (same := _signed_already(held, after_version, said)) is not None:
            return same
        version = _next_version(held, after_version)
        reading = Reading.objects.create(analysis=held, version=version, **said)
        _record_signature(reading, analysis)
        attend(reading.signed_by, analysis.film.patient)
    return reading


def _record_signature(reading: Reading, analysis: Analysis) -> None:
    record(
        actor=reading.signed_by,
        action="reading.sign",
        target=reading,
        patient_id=analysis.film.patient_id,
        detail={"analysis": analysis.id, "version": reading.version},
    )


def _checked_verdict(verdict: str | None, findings: Mapping[str, str]) -> str:
    if verdict is None or not {verdict, *findings.values()} <= set(Reading.Verdict.values):
        raise UserError("verdict_unknown", field="verdict")
    return verdict


def overall_verdict(findings: Mapping[str, str], added: list[Added]) -> str | None:
    """The verdict on the whole: what was missed or is wrong is a disagreement; None if unsaid."""
    said = set(findings.values())
    if added or Reading.Verdict.DISAGREE in said:
        return Reading.Verdict.DISAGREE
    if Reading.Verdict.UNSURE in said:
        return Reading.Verdict.UNSURE
    return Reading.Verdict.AGREE if said else None


def _signed_already(
    held: Analysis, after_version: int | None, said: Mapping[str, Any]
) -> Reading | None:
    """The version that follows the one that the person saw, where it says just the same."""
    if after_version is None:
        return None
    last = held.readings.order_by("-version").first()
    if last is None or last.version != after_version + 1:
        return None
    return last if all(getattr(last, name) == value for name, value in said.items()) else None


def _next_version(held: Analysis, after_version: int | None) -> int:
    if held.status != Status.SUCCEEDED:
        raise Conflict("analysis_not_read")
    last: int = held.readings.aggregate(last=Max("version"))["last"] or 0
    if after_version is not None and after_version != last:
        raise Conflict("signed_meanwhile")
    return last + 1


def _checked_findings(analysis: Analysis, findings: Mapping[str, str]) -> dict[str, str]:
    known = set(analysis.findings.values_list("code", flat=True))
    if not findings.keys() <= known:
        raise UserError("finding_unknown", field="findings")
    return dict(findings)


def _check_added(added: list[Added]) -> None:
    if len(added) > ADDED_AT_MOST:
        raise UserError("added_invalid", field="added")
    for item in added:
        known = item.code in NAMES or (item.code == OTHER and item.words.strip())
        if not known or not _is_short_line(item.words) or not _lies_on_film(item.box):
            raise UserError("added_invalid", field="added")


def _is_short_line(words: str) -> bool:
    try:
        check_one_line(words)
    except ValidationError:
        return False
    return len(words) <= WORDS_LENGTH


def _lies_on_film(box: tuple[float, float, float, float] | None) -> bool:
    if box is None:
        return True
    x0, y0, x1, y1 = box
    return 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1


def _as_json(item: Added) -> dict[str, Any]:
    box = [round(side, 4) for side in item.box] if item.box else None
    return {"code": item.code, "words": item.words.strip(), "box": box}
