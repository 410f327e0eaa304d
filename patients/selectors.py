"""Every read of patients, with the rule on who sees whom."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date

from accounts.models import User
from accounts.permissions import Capability, may, require
from accounts.roles import Role
from audit.services import record_refusal
from patients.criteria import ORDERS, Criteria
from patients.folding import fold_area, fold_name, fold_number
from patients.models import (
    Attendance,
    BreakGlass,
    Merge,
    Patient,
    PatientChange,
    SearchKey,
    Visit,
)
from patients.paging import Page, page_of
from xraydx.errors import NotFound

PAGE_SIZE = 25
# A fifth of a large hospital's patients; see _with_key.
MANY_MATCHES = 20_000


def visible_patients(user: User) -> QuerySet[Patient]:
    """Return the patients whom the user may see without giving a reason.

    Everybody for radiologists, programs and administrators; else those in the ER or
    gone from it for less than VISIBLE_HOURS, those whom the user attended, and those
    whose record the user opened with a reason that still holds.
    """
    alive = Patient.objects.filter(deleted_at__isnull=True)
    if not may(user, Capability.view_patient):
        return alive.none()
    if may(user, Capability.view_every_patient):
        return alive
    now = timezone.now()
    # A union of four index look-ups: OR-ed together they would cost a walk over every patient.
    ids = (
        alive.filter(in_er=True)
        .values("id")
        .union(
            alive.filter(left_at__gte=left_since(now)).values("id"),
            Attendance.objects.filter(user=user).values("patient_id"),
            BreakGlass.objects.filter(user=user, until__gt=now).values("patient_id"),
            all=True,
        )
    )
    return alive.filter(id__in=ids)


def left_since(now: datetime) -> datetime:
    """Return the moment since which a closed visit still counts as being in the ER."""
    return now - timedelta(hours=settings.VISIBLE_HOURS)


def visits_here(user: User, *, left_within: timedelta) -> QuerySet[Visit]:
    """Return the visits that are open or ended lately; whoever sees patients sees these.

    left_within: how lately, VISIBLE_HOURS at most
    """
    visits = Visit.objects.filter(patient__deleted_at__isnull=True)
    if not may(user, Capability.view_patient):
        return visits.none()
    now = timezone.now()
    since = max(now - left_within, left_since(now))
    return visits.filter(Q(closed_at__isnull=True) | Q(closed_at__gte=since))


def patient_for(user: User, patient_id: UUID | str) -> Patient:
    """Return the patient, or raise NotFound where there is none or the user may not see them."""
    key = _key(patient_id, "patient_not_found")
    found = visible_patients(user).filter(pk=key).select_related("last_visit__attending").first()
    if found is None:
        if Patient.objects.filter(pk=key).exists():
            record_refusal(actor=user, reason="patient_not_visible", patient_id=key)
        raise NotFound("patient_not_found")
    return found


def visit_for(user: User, visit_id: UUID | str) -> Visit:
    """Return the visit with its patient, or raise NotFound as patient_for does."""
    key = _key(visit_id, "visit_not_found")
    visit = Visit.objects.select_related("attending").filter(pk=key).first()
    if visit is None:
        raise NotFound("visit_not_found")
    visible = visible_patients(user).select_related("last_visit")
    patient = visible.filter(pk=visit.patient_id).first()
    if patient is None:
        record_refusal(
            actor=user, reason="patient_not_visible", target=visit, patient_id=visit.patient_id
        )
        raise NotFound("visit_not_found")
    visit.patient = patient
    return visit


def search_patients(
    user: User, criteria: Criteria, cursor: str = "", *, size: int = PAGE_SIZE
) -> Page[Patient]:
    """Return one page of the visible patients who meet the criteria.

    raises: UserError("cursor_invalid")
    """
    columns, descending = ORDERS[criteria.sort]
    # Fetched apart, because a join would cost the planner the order of the index.
    found = _matching(visible_patients(user), criteria).prefetch_related("last_visit")
    return page_of(found, columns=columns, descending=descending, cursor=cursor, size=size)


def _matching(patients: QuerySet[Patient], criteria: Criteria) -> QuerySet[Patient]:
    """Narrow the patients down to the criteria."""
    by_name = criteria.sort == "name"
    if criteria.text:
        patients = _with_text(patients, criteria.text, by_name=by_name)
    if criteria.name:
        patients = _with_key(patients, name=fold_name(criteria.name), by_name=by_name)
    if criteria.mrn:
        patients = _with_key(patients, number=fold_number(criteria.mrn), by_name=by_name)
    if criteria.birth_date:
        patients = patients.filter(birth_date=criteria.birth_date)
    if criteria.triage:
        patients = patients.filter(triage_level=criteria.triage)
    if criteria.area:
        patients = patients.filter(area_key=fold_area(criteria.area))
    if criteria.status != "all":
        patients = patients.filter(in_er=criteria.status == "open")
    return patients


def _with_text(patients: QuerySet[Patient], text: str, *, by_name: bool) -> QuerySet[Patient]:
    """Narrow down to whom one box means: a birth date, else a name or a number."""
    try:
        born = parse_date(text.strip())
    except ValueError:
        born = None
    if born is not None:
        return patients.filter(birth_date=born)
    name, number = fold_name(text), fold_number(text)
    return _with_key(patients, name=name, number=number, by_name=by_name)


def _with_key(
    patients: QuerySet[Patient], *, name: str = "", number: str = "", by_name: bool
) -> QuerySet[Patient]:
    """Narrow down to patients one of whose keys begins so; to nobody where nothing is asked.

    by_name: whether the list runs by name, an order in which matches lie side by side
    """
    wanted = Q()
    if name:
        wanted |= Q(kind=SearchKey.Kind.NAME, key__startswith=name)
    if number:
        wanted |= Q(kind=SearchKey.Kind.NUMBER, key__startswith=number)
    if name and name == number:
        wanted = Q(key__startswith=name)
    if not wanted:
        return patients.none()
    keys = SearchKey.objects.filter(wanted).values("patient_id")
    if by_name or keys[: MANY_MATCHES + 1].count() <= MANY_MATCHES:
        # DISTINCT has the keys looked up first and once. Without it the planner gambles on
        # meeting matches early in the list's order; that pays only where very many match.
        keys = keys.distinct()
    return patients.filter(id__in=keys)


def matches_elsewhere(user: User, criteria: Criteria) -> list[Patient]:
    """Return up to five patients outside the user's view who are exactly whom they named.

    Only a whole number, or a whole name with the birth date, finds anybody: who asks
    knows already what the page then says. Empty where the role may not break the glass.
    """
    if not may(user, Capability.break_glass):
        return []
    kinds, wanted = SearchKey.Kind, Q()
    if number := fold_number(criteria.mrn or criteria.text):
        wanted |= Q(kind=kinds.NUMBER, key=number)
    if criteria.birth_date and (name := fold_name(criteria.name or criteria.text)):
        born = {"patient__birth_date": criteria.birth_date}
        wanted |= Q(kind=kinds.NAME, key=name, **born)
    if not wanted:
        return []
    keys = SearchKey.objects.filter(wanted).values("patient_id")
    hidden = Patient.objects.filter(deleted_at__isnull=True, id__in=keys)
    return list(hidden.exclude(id__in=visible_patients(user).values("id")).order_by("id")[:5])


def holder_of_mrn(user: User, mrn: str) -> tuple[UUID, Patient | None] | None:
    """Return the id of who has this MRN already, and the patient where the user may see them."""
    key = fold_number(mrn)
    holder = Patient.objects.filter(deleted_at__isnull=True, mrn_key=key).first()
    if holder is None:
        return None
    return holder.pk, visible_patients(user).filter(pk=holder.pk).first()


def reason_in_force(user: User, patient: Patient) -> BreakGlass | None:
    """Return the user's reason for opening this record, where it holds still."""
    given = BreakGlass.objects.filter(user=user, patient=patient, until__gt=timezone.now())
    return given.order_by("-until").first()


def visits_of(patient: Patient) -> list[Visit]:
    """Return the patient's visits, newest first."""
    return list(patient.visits.select_related("attending").order_by("-opened_at", "-id"))


def open_visits_of(patient: Patient) -> list[Visit]:
    """Return the visits that are not closed, newest first."""
    return [visit for visit in visits_of(patient) if visit.is_open]


def changes_of(patient: Patient, *, limit: int = 200) -> list[PatientChange]:
    """Return what was changed in the patient's data, newest first."""
    changes = patient.changes.select_related("by", "visit").order_by("-at", "-id")
    return list(changes[:limit])


def deleted_patients(user: User, cursor: str = "") -> Page[Patient]:
    """Return one page of the deleted patients, last deleted first; for administrators."""
    require(user, Capability.restore_patient)
    deleted = Patient.objects.filter(deleted_at__isnull=False, merged_into__isnull=True)
    deleted = deleted.select_related("deleted_by")
    return page_of(
        deleted, columns=("deleted_at", "id"), descending=True, cursor=cursor, size=PAGE_SIZE
    )


def deleted_patient_for(user: User, patient_id: UUID | str) -> Patient:
    """Return a deleted patient, or raise NotFound; for administrators."""
    require(user, Capability.restore_patient)
    key = _key(patient_id, "patient_not_found")
    found = Patient.objects.filter(deleted_at__isnull=False, merged_into=None, pk=key).first()
    if found is None:
        raise NotFound("patient_not_found")
    return found


def merged_into(user: User, patient_id: UUID) -> Patient | None:
    """Return the patient whom the user may see and into whose record this one went."""
    gone = Patient.objects.filter(pk=patient_id).values_list("merged_into", flat=True).first()
    return visible_patients(user).filter(pk=gone).first() if gone else None


def merges(user: User, cursor: str = "") -> Page[Merge]:
    """Return one page of the merges, newest first; for administrators."""
    require(user, Capability.merge_patient)
    done = Merge.objects.select_related("kept", "gone", "by", "undone_by")
    return page_of(done, columns=("at", "id"), descending=True, cursor=cursor, size=PAGE_SIZE)


def merge_for(user: User, merge_id: UUID) -> Merge:
    """Return the merge, or raise NotFound; for administrators."""
    require(user, Capability.merge_patient)
    found = Merge.objects.select_related("kept", "gone").filter(pk=merge_id).first()
    if found is None:
        raise NotFound("merge_not_found")
    return found


def likely_duplicates(user: User, patient: Patient, *, text: str = "") -> list[Patient]:
    """Return up to ten records that may be the same person's: a like name or birth date.

    text: a name or number to look for instead
    """
    others = visible_patients(user).exclude(pk=patient.pk)
    if text:
        return list(_with_text(others, text, by_name=True).order_by("name_key", "id")[:10])
    alike = Q(name_key=patient.name_key)
    if patient.birth_date:
        family = fold_name(patient.family_name)
        alike |= Q(birth_date=patient.birth_date, name_key__startswith=family)
    return list(others.filter(alike).order_by("name_key", "id")[:10])


def break_glasses(user: User, cursor: str = "") -> Page[BreakGlass]:
    """Return one page of the records opened with a reason, newest first; for administrators."""
    require(user, Capability.list_break_glass)
    opened = BreakGlass.objects.select_related("user", "patient")
    return page_of(opened, columns=("at", "id"), descending=True, cursor=cursor, size=PAGE_SIZE)


def open_areas() -> list[str]:
    """Return the ER areas in use, for the filter."""
    areas = Visit.objects.filter(closed_at__isnull=True).exclude(area="")
    return list(areas.order_by("area").values_list("area", flat=True).distinct()[:50])


def possible_attendings() -> QuerySet[User]:
    """Return the accounts that a visit can name as attending."""
    physicians = User.objects.filter(role=Role.PHYSICIAN, is_active=True)
    return physicians.order_by("full_name", "username")


def _key(value: UUID | str, code: str) -> UUID:
    """Return the id as a UUID; ids are opaque to callers, so anything else is just unknown."""
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except ValueError as error:
        raise NotFound(code) from error
