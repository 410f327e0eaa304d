"""An emergency room's shift for people who try the platform: every step as the staff makes it."""

import io
from collections.abc import Callable
from datetime import date, datetime, timedelta

import numpy as np
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from accounts.services import change_password, create_user
from diagnosis import pipeline, queue
from diagnosis.models import Analysis, Film, Reading
from diagnosis.selectors import findings_to_show, live_workers, wait_until_final
from diagnosis.services import add_film, sign_reading
from diagnosis.states import Status
from ml.imaging.synthetic import sample_film
from ml.imaging.write import to_dicom, to_png
from patients.models import Patient, Visit
from patients.services import close_visit, open_visit, register_patient
from patients.summary import VISIT_SUMMARY, summarise_visits
from policy.rules import RaiseRule
from policy.selectors import present
from policy.services import change_policy
from worklist.cast import GUESTS, PEOPLE, RAISES, Guest
from worklist.services import take_study

SIDE_PX = 1024
WORKER = "demo@here"
Staff = dict[Role, list[User]]


def play(*, say: Callable[[str], None], guests: tuple[Guest, ...] = GUESTS) -> int:
    """Fill an installation without patients; returns how many films were read."""
    staff = hire()
    _decide_rules()
    came = [(guest, *arrive(guest, place, staff)) for place, guest in enumerate(guests)]
    say(f"{len(came)} patients registered; the networks read their films …")
    read = read_all()
    for place, (guest, visits, films) in enumerate(came):
        if guest.signed:
            sign(films[-1], staff[Role.PHYSICIAN][place % 2])
        if guest.left:
            close_visit(visit=visits[-1], by=staff[Role.NURSE][0])
        for visit, film_rows in zip(visits, _by_visit(visits, films), strict=True):
            move_back(visit, film_rows, _came_at(guest, visit, visits), left=guest.left)
    _take_some(came, staff)
    return read


def hire() -> Staff:
    """Make the accounts that are not there yet, without passwords."""
    staff: Staff = {}
    for username, name, role in PEOPLE:
        user = User.objects.filter(username=username).first()
        if user is None:
            user, _password = create_user(username=username, full_name=name, role=role, by=None)
        staff.setdefault(role, []).append(user)
    return staff


def give_passwords(password: str) -> list[str]:
    """Give all accounts of the demonstration this password; returns their names."""
    names = [username for username, _name, _role in PEOPLE]
    for user in User.objects.filter(username__in=names):
        change_password(user=user, password=password)
    return names


def arrive(guest: Guest, seed: int, staff: Staff) -> tuple[list[Visit], list[Film]]:
    """Register the patient, open the visits, send the films, each as whose work it is."""
    nurse, radiographer = staff[Role.NURSE][0], staff[Role.RADIOGRAPHER][0]
    known = guest.born != ""
    patient = register_patient(
        by=nurse,
        family_name=guest.family,
        given_name=guest.given,
        mrn=f"{48_000 + 137 * seed:08}" if known else None,
        birth_date=date.fromisoformat(guest.born) if known else None,
        age_estimated=None if known else 50,
        sex=guest.sex,
    )
    visits, films = [], []
    for earlier in (True, False) if guest.prior_days else (False,):
        visit = open_visit(
            patient=patient,
            by=nurse,
            triage_level=guest.triage,
            area=guest.area,
            chief_complaint=guest.complaint,
            attending=staff[Role.PHYSICIAN][seed % 2],
        )
        visits.append(visit)
        for number in range(1 if earlier else guest.films):
            data = draw(guest, 3 + 7 * seed + 1000 * earlier + number, healthy=earlier)
            added = add_film(visit=visit, file=io.BytesIO(data), by=radiographer)
            films.append(added.film)
        if earlier:
            close_visit(visit=visit, by=nurse)
    return visits, films


def draw(guest: Guest, seed: int, *, healthy: bool) -> bytes:
    """Return the bytes of a film: PNG, or DICOM where the guest's came from such a machine."""
    film = sample_film(seed, SIDE_PX, opacity=None if healthy else guest.opacity)
    if guest.turned:
        film = np.ascontiguousarray(film[::-1])
    return to_dicom(film, name=f"demo {seed}") if guest.dicom else to_png(film)


def read_all() -> int:
    """Read what waits, here where no worker lives; else wait for them. Returns how many."""
    count = Film.objects.count()
    if live_workers().exists():
        for analysis_id in Analysis.objects.filter(finished_at=None).values_list("id", flat=True):
            wait_until_final(analysis_id, 60)
        return count
    while (claim := queue.claim_next(worker=WORKER)) is not None:
        pipeline.run(claim)
    return count


def sign(film: Film, by: User) -> Reading | None:
    """Sign what was read: agree with the first finding that is marked, differ on the second."""
    analysis = film.analyses.order_by("-created_at").first()
    if analysis is None or analysis.status != Status.SUCCEEDED:
        return None
    marked = [row.code for row in findings_to_show(analysis) if row.above][:2]
    verdicts = dict(zip(marked, ("agree", "disagree"), strict=False))
    report = "Chest, frontal. Demonstration film, drawn by a program."
    verdict = None if verdicts else "agree"
    return sign_reading(analysis=analysis, by=by, verdict=verdict, findings=verdicts, report=report)


def move_back(visit: Visit, films: list[Film], came_at: datetime, *, left: bool) -> None:
    """Date visit and films back, so that the shift has lasted for hours when it begins."""
    closed = Visit.objects.filter(pk=visit.pk).values_list("closed_at", flat=True).first()
    ended = came_at + timedelta(minutes=95) if closed else None
    now = timezone.now()
    Visit.objects.filter(pk=visit.pk).update(
        opened_at=came_at, closed_at=min(ended, now) if ended else None
    )
    for number, film in enumerate(films):
        taken = came_at + timedelta(minutes=3 + 2 * number)
        Film.objects.filter(pk=film.pk).update(uploaded_at=taken)
        for analysis in film.analyses.all():
            spent = (analysis.finished_at or now) - (analysis.started_at or now)
            Analysis.objects.filter(pk=analysis.pk).update(
                created_at=taken, started_at=taken, finished_at=taken + spent
            )
            signed = min(taken + timedelta(minutes=4 + 4 * visit.triage_level), now)
            analysis.readings.update(signed_at=signed)
    patient = Patient.objects.get(pk=visit.patient_id)
    summarise_visits(patient)
    patient.save(update_fields=VISIT_SUMMARY)


def _decide_rules() -> None:
    """Have the site raise more than one finding, where there is somebody to decide that."""
    admin = User.objects.filter(role=Role.ADMINISTRATOR, is_active=True).first()
    if admin is not None:
        raises = {code: RaiseRule(level) for code, level in RAISES.items()}
        change_policy(by=admin, version=present().version, raises=raises)


def _came_at(guest: Guest, visit: Visit, visits: list[Visit]) -> datetime:
    earlier = timedelta(days=guest.prior_days) if visit is not visits[-1] else timedelta()
    return timezone.now() - earlier - timedelta(minutes=guest.waited_min + 3)


def _by_visit(visits: list[Visit], films: list[Film]) -> list[list[Film]]:
    return [[film for film in films if film.visit_id == visit.pk] for visit in visits]


def _take_some(came: list[tuple[Guest, list[Visit], list[Film]]], staff: Staff) -> None:
    """Have two studies be in somebody's hands."""
    waiting = [films[-1] for guest, _visits, films in came if not (guest.signed or guest.left)]
    readers = [staff[Role.RADIOLOGIST][0], staff[Role.PHYSICIAN][0]]
    for film, reader in zip(waiting[1::4], readers, strict=False):
        take_study(study_id=film.study_id, by=reader)
