"""Which studies wait for a reader, how urgent they are, and who has them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import (
    Case,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Cast, Concat, Least
from django.utils import timezone

from accounts.models import User
from accounts.permissions import Capability, may
from audit.services import record_refusal
from diagnosis.models import Analysis, Film, Finding, FirstLook, Reading, Study
from diagnosis.readings import hides_until_first_look
from diagnosis.states import ACTIVE, Status
from patients.models import Patient
from patients.selectors import visible_patients, visits_here
from policy.rules import Policy
from policy.selectors import present
from worklist.models import Hold
from worklist.priority import Found, Priority, Waiting, in_order
from xraydx.errors import NotFound

# A film that was read but not signed when its patient left stays this long.
LEFT_WITHIN = timedelta(hours=12)
HELD_WITHIN = timedelta(days=3)
# No emergency room has more unsigned films; beyond this the least urgent are counted, not listed.
MOST_FILMS = 1000
COLUMNS = (
    "id", "study_id", "patient_id", "uploaded_at", "patient__name_key", "patient__mrn",
    "patient__temporary_id", "visit__triage_level", "visit__area", "visit__closed_at",
)  # fmt: skip


@dataclass(frozen=True)
class WaitingFilm:
    """One film that nobody signed, with where its newest analysis stands."""

    film_id: UUID
    study_id: UUID
    patient_id: UUID
    name_key: str
    number: str
    triage: int
    area: str
    uploaded_at: datetime
    is_open: bool
    status: str
    reason: str
    found: tuple[Found, ...]
    # What the networks found waits for this user's first look.
    hidden: bool


class _Newest(NamedTuple):
    """A film's last analysis."""

    id: UUID
    status: str
    reason: str

    @classmethod
    def of(cls, facts: str) -> "_Newest":
        key, status, reason = facts.split(" ")
        return cls(UUID(key), status, reason)


@dataclass(frozen=True)
class Item:
    """A study in the queue. lead: the film that its row speaks of and opens."""

    lead: WaitingFilm
    films: tuple[WaitingFilm, ...]
    waiting: Waiting
    priority: Priority
    hold: Hold | None


@dataclass(frozen=True)
class Queue:
    """The studies that wait, the most urgent first, under the rules that held.

    unlisted: films beyond MOST_FILMS, none of them raised by what was found
    """

    items: list[Item]
    policy: Policy
    at: datetime
    unlisted: int = 0


def queue_for(user: User) -> Queue:
    """Return the studies that wait for a reader, as far as the user may see them."""
    now, policy = timezone.now(), present()
    studies: dict[UUID, list[WaitingFilm]] = defaultdict(list)
    films, unlisted = _waiting_films(user, policy, now)
    for film in films:
        studies[film.study_id].append(film)
    kept = {key: films for key, rows in studies.items() if (films := _unsettled(rows))}
    holds = {hold.study_id: hold for hold in _holds(now)}
    items = []
    for waiting, priority in in_order((_facts(films) for films in kept.values()), policy, now):
        films = kept[waiting.study_id]
        lead = min(films, key=lambda film: _lead_order(film, priority))
        hold = holds.get(waiting.study_id)
        items.append(Item(lead, tuple(films), waiting, priority, hold))
    return Queue(items, policy, now, unlisted)


def people_in(items: Iterable[Item]) -> dict[UUID, Patient]:
    """Return the patients of these studies; the caller may see them."""
    return Patient.objects.in_bulk({item.lead.patient_id for item in items})


def study_for(user: User, study_id: UUID) -> Study:
    """Return the study with its visit. raises: NotFound where it is not open to the user"""
    study = Study.objects.select_related("visit").filter(pk=study_id).first()
    if study is None:
        raise NotFound("study_not_found")
    if not visible_patients(user).filter(pk=study.visit.patient_id).exists():
        patient_id = study.visit.patient_id
        record_refusal(
            actor=user, reason="patient_not_visible", target=study, patient_id=patient_id
        )
        raise NotFound("study_not_found")
    return study


def holder_of(study_id: UUID) -> Hold | None:
    """Return who has the study, if anybody."""
    return _holds(timezone.now()).filter(study_id=study_id).first()


def _waiting_films(user: User, policy: Policy, now: datetime) -> tuple[list[WaitingFilm], int]:
    """Return the unsigned films of those who are here, and how many were left out."""
    rows = _unsigned(user, policy, now)
    films, unlisted = list(rows[:MOST_FILMS]), 0
    if len(films) == MOST_FILMS:
        there = {film.id for film in films}
        raised = rows.filter(_raised(policy))[:MOST_FILMS]
        films += [film for film in raised if film.id not in there]
        unlisted = rows.count() - len(films)
    return _described(films, user, policy), unlisted


def _unsigned(user: User, policy: Policy, now: datetime) -> QuerySet[Any, Any]:
    """Return the rows of unsigned films as COLUMNS and `newest`: by triage and wait, then oldest.

    What the networks found does not count here yet.
    """
    of_film = Analysis.objects.filter(film=OuterRef("pk")).order_by("-created_at", "id")
    # One text is read faster than JSON or three look-ups; none of the three holds a space.
    parts = (Cast("id", TextField()), Value(" "), "status", Value(" "), "reason")
    facts = Concat(*parts, output_field=TextField())
    signed = Reading.objects.filter(analysis__film=OuterRef("pk"))
    triage = F("visit__triage_level")
    aged_since = now - timedelta(minutes=policy.max_wait_minutes)
    aged = When(uploaded_at__lte=aged_since, then=Least(triage, Value(policy.aged_level)))
    # Values and no models: there may be a thousand, and a page shows fifty.
    return (
        Film.objects.filter(deleted_at__isnull=True)
        .filter(visit__in=visits_here(user, left_within=LEFT_WITHIN))
        .filter(~Exists(signed))
        .annotate(newest=Subquery(of_film.values(facts=facts)[:1]))
        .order_by(Case(aged, default=triage), "uploaded_at", "id")
        .values_list(*COLUMNS, "newest", named=True)
    )


def _raised(policy: Policy) -> Exists:
    """Whether something was found on the film, ever, that raises a study at this site."""
    passes = Q(pk__in=[])
    for code, rule in policy.raises.items():
        if code in policy.muted:
            continue
        reach = Q(above=True) if rule.threshold is None else Q(probability__gte=rule.threshold)
        passes |= Q(code=code) & reach
    return Exists(Finding.objects.filter(passes, analysis__film=OuterRef("pk")))


def _described(films: list[Any], user: User, policy: Policy) -> list[WaitingFilm]:
    """Put the rows of films, their newest analyses and what was found together."""
    newest = {film.id: _Newest.of(film.newest) for film in films if film.newest}
    read = [row.id for row in newest.values() if row.status == Status.SUCCEEDED]
    found = _findings(read, policy)
    hides = may(user, Capability.sign_reading) and hides_until_first_look(user, policy)
    looked = _looked_at(user, read) if hides else set()
    return [
        WaitingFilm(
            film_id=film.id,
            study_id=film.study_id,
            patient_id=film.patient_id,
            name_key=film.patient__name_key,
            number=film.patient__mrn or film.patient__temporary_id or "",
            triage=film.visit__triage_level,
            area=film.visit__area,
            uploaded_at=film.uploaded_at,
            is_open=film.visit__closed_at is None,
            status=analysis.status,
            reason=analysis.reason,
            found=tuple(found[analysis.id]),
            hidden=hides and analysis.id not in looked,
        )
        for film in films
        if (analysis := newest.get(film.id)) is not None
    ]


def _findings(analysis_ids: list[UUID], policy: Policy) -> dict[UUID, list[Found]]:
    """Return what may raise or be shown: all above their points, and those named by a rule."""
    wanted = Q(above=True) | Q(code__in=list(policy.raises))
    rows = Finding.objects.filter(wanted, analysis_id__in=analysis_ids).order_by("rank")
    found: dict[UUID, list[Found]] = defaultdict(list)
    for key, code, probability, above in rows.values_list(
        "analysis_id", "code", "probability", "above"
    ):
        found[key].append(Found(code, probability, above))
    return found


def _looked_at(user: User, analysis_ids: list[UUID]) -> set[UUID]:
    looks = FirstLook.objects.filter(user=user, analysis_id__in=analysis_ids)
    return set(looks.values_list("analysis_id", flat=True))


def _unsettled(films: list[WaitingFilm]) -> list[WaitingFilm]:
    """Leave out what needs nobody: a film replaced by a later one, and what can't be done again."""
    usable = [film.uploaded_at for film in films if film.status in {*ACTIVE, Status.SUCCEEDED}]
    last_usable = max(usable, default=None)
    return [
        film
        for film in films
        if film.status == Status.SUCCEEDED
        or (film.is_open and film.status in ACTIVE)
        or (film.is_open and (last_usable is None or film.uploaded_at > last_usable))
    ]


def _facts(films: list[WaitingFilm]) -> Waiting:
    return Waiting(
        study_id=films[0].study_id,
        triage=min(film.triage for film in films),
        since=min(film.uploaded_at for film in films),
        found=tuple(one for film in films for one in film.found),
    )


def _lead_order(film: WaitingFilm, priority: Priority) -> tuple[int, float]:
    """Put first the film that raised the study, then what shows something, then the newest."""
    raises = any(one.code == priority.raised_by for one in film.found)
    marked = any(one.above for one in film.found)
    shown = 0 if raises else 1 if marked else 2
    return shown, -film.uploaded_at.timestamp()


def _holds(now: datetime) -> QuerySet[Hold]:
    """Return who has what; a study that was taken longer ago than anybody waits is nobody's."""
    return Hold.objects.select_related("user").filter(taken_at__gte=now - HELD_WITHIN)
