"""Fill an empty database with the patients, visits, films and analyses of a hospital.

Everything is drawn from a seed; names follow how common they are, so that a search for a
frequent one meets a third of the table. Rows are copied in by the tables' owner and pass
every constraint.
"""

import hashlib
import random
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from diagnosis.models import Analysis, Film, Finding, Study
from ml.vocabulary import NAMES
from patients.folding import fold_area
from patients.models import NOT_URGENT, Attendance, Patient, Visit
from patients.summary import fold_keys, search_keys_of

FAMILY = [
    ("Nguyễn", 38), ("Trần", 11), ("Kim", 10), ("김", 10), ("Lê", 8), ("이", 7), ("Phạm", 7),
    ("박", 4), ("Smith", 2), ("García López", 1), ("O'Brien", 1), ("Đặng", 1),
]  # fmt: skip
GIVEN = ["Thị Linh", "Văn An", "Ara", "아라", "민준", "Minh Anh", "Seo-yeon", "John", "Ngọc Ánh",
         "María", "Quang Huy", "지우"]  # fmt: skip
AREAS = ["Resus", "A1", "A2", "A3", "A4", "B1", "B2", "Waiting room"]
COMPLAINTS = ["Cough and fever", "Chest pain", "Fall from height", "Dyspnoea", "Trauma", ""]
IN_ER, JUST_LEFT = 120, 900
YEARS = 3


@dataclass
class Hospital:
    """What is copied, table by table, and the accounts that it refers to."""

    patients: int
    analyses: int
    users: dict[str, uuid.UUID]
    draw: random.Random = field(default_factory=lambda: random.Random(7))
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def uid(self) -> uuid.UUID:
        return uuid.UUID(int=self.draw.getrandbits(128), version=4)

    def people(self) -> Iterator[tuple[Patient, list[Visit]]]:
        """Draw patients with their visits, oldest first; the last ones are in the ER now."""
        families, weights = zip(*FAMILY, strict=True)
        span = timedelta(days=365 * YEARS)
        for number in range(self.patients):
            left = self.patients - number
            patient = Patient(
                id=self.uid(),
                mrn=f"{number:08}" if number % 20 else None,
                temporary_id=None if number % 20 else f"T-{number:06}",
                family_name=self.draw.choices(families, weights)[0],
                given_name=self.draw.choice(GIVEN),
                birth_date=(self.now - timedelta(days=self.draw.randrange(36_000))).date(),
                sex=self.draw.choice("FM"),
                created_at=self.now - span * left / self.patients,
                created_by_id=self.users["nurse"],
            )
            visits = [self.visit(patient, number % 2 == 0 and left > IN_ER + JUST_LEFT)]
            if visits[0].closed_at is not None and self.draw.random() < 0.5:
                visits.insert(0, self.visit(patient, True))
            last = visits[-1]
            if left <= IN_ER:
                last.opened_at, last.closed_at = self.now - timedelta(minutes=4 * left), None
            elif left <= IN_ER + JUST_LEFT:
                last.closed_at = self.now - timedelta(hours=70 * (left - IN_ER) / JUST_LEFT)
                last.opened_at = last.closed_at - timedelta(hours=4)
            summarise(patient, visits)
            yield patient, visits

    def visit(self, patient: Patient, early: bool) -> Visit:
        """Draw a visit that ended."""
        opened = patient.created_at + timedelta(minutes=5 if early else 90)
        return Visit(
            id=self.uid(),
            patient=patient,
            triage_level=self.draw.choices([1, 2, 3, 4, 5], [1, 9, 45, 35, 10])[0],
            area=self.draw.choice(AREAS),
            chief_complaint=self.draw.choice(COMPLAINTS),
            attending_id=self.users["physician"],
            opened_at=opened,
            closed_at=opened + timedelta(hours=1),
            updated_at=opened,
            created_by_id=self.users["nurse"],
        )

    def film(self, study: Study, number: int) -> tuple[Film, Analysis]:
        """Draw a film and its analysis, one in fifty refused."""
        taken = study.visit.opened_at + timedelta(minutes=10)
        film = Film(
            id=self.uid(),
            study=study,
            visit=study.visit,
            patient=study.visit.patient,
            sha256=hashlib.sha256(str(number).encode()).hexdigest(),
            size=1_000_000,
            format="png",
            width=1024,
            height=1024,
            view="PA",
            uploaded_by_id=self.users["nurse"],
            uploaded_at=taken,
        )
        refused = number % 50 == 0
        analysis = Analysis(
            id=self.uid(),
            film=film,
            release="bench",
            status="refused" if refused else "succeeded",
            reason="lateral" if refused else "",
            attempt=1,
            available_at=taken,
            created_at=taken,
            updated_at=taken + timedelta(seconds=1, microseconds=number),
            started_at=taken,
            finished_at=taken + timedelta(seconds=1),
            quality={},
            abnormal=None if refused else 0.4,
        )
        return film, analysis

    def findings(self, analysis: Analysis) -> list[Finding]:
        """Draw the 13 probabilities of an analysis."""
        if analysis.status != "succeeded":
            return []
        ranked = sorted(((self.draw.random() ** 3, code) for code in NAMES), reverse=True)
        return [
            Finding(
                analysis=analysis, code=code, probability=p, threshold=0.3, above=p > 0.3, rank=rank
            )
            for rank, (p, code) in enumerate(ranked, 1)
        ]


def summarise(patient: Patient, visits: list[Visit]) -> None:
    """Set what patients.summary would, without a query."""
    last = visits[-1]
    fold_keys(patient)
    patient.last_visit = last
    patient.arrived_at, patient.in_er = last.opened_at, last.is_open
    patient.left_at = max((v.closed_at for v in visits if v.closed_at), default=None)
    patient.triage_level = last.triage_level
    patient.urgency = last.triage_level if last.is_open else NOT_URGENT
    patient.area_key = fold_area(last.area)
    patient.updated_at = patient.created_at


def fill(connection: psycopg.Connection[Any], hospital: Hospital) -> None:
    """Copy the whole hospital in, in one transaction.

    connection: of the tables' owner, to a migrated database without patients
    """
    connection.execute("SET CONSTRAINTS ALL DEFERRED")
    people = list(hospital.people())
    visits = [visit for _, own in people for visit in own]
    copy(connection, [patient for patient, _ in people])
    copy(connection, visits)
    copy(connection, [key for patient, _ in people for key in search_keys_of(patient)])
    copy(connection, list(attendances(hospital, people)))
    studies = [Study(id=hospital.uid(), visit=v, created_at=v.opened_at) for v in visits]
    copy(connection, studies)
    rows = [hospital.film(studies[n % len(studies)], n) for n in range(hospital.analyses)]
    copy(connection, [film for film, _ in rows])
    copy(connection, [analysis for _, analysis in rows])
    copy(connection, (f for _, analysis in rows for f in hospital.findings(analysis)))


def attendances(
    hospital: Hospital, people: list[tuple[Patient, list[Visit]]]
) -> Iterator[Attendance]:
    """Let nurse and physician have cared for some thousands each."""
    for name, every in (("nurse", 40), ("physician", 20)):
        for patient, _ in people[::every]:
            yield Attendance(
                user_id=hospital.users[name], patient=patient, since_at=patient.created_at
            )


def copy(connection: psycopg.Connection[Any], rows: Iterable[Any]) -> None:
    """Copy rows of one table; a key that the table counts by itself is left to it."""
    columns: list[Any] = []
    rows = iter(rows)
    first = next(rows)
    for column in first._meta.concrete_fields:
        if not (column.primary_key and column.get_internal_type() == "BigAutoField"):
            columns.append(column)
    names = ", ".join(f'"{column.column}"' for column in columns)
    with connection.cursor() as cursor:
        statement = f'COPY "{first._meta.db_table}" ({names}) FROM STDIN'
        with cursor.copy(statement) as target:
            for row in (first, *()):
                target.write_row(values(row, columns))
            for row in rows:
                target.write_row(values(row, columns))


def values(row: Any, columns: list[Any]) -> list[Any]:
    """Return a row's values as the driver takes them."""
    found = []
    for column in columns:
        value = getattr(row, column.attname)
        if column.get_internal_type() == "JSONField" and value is not None:
            value = Jsonb(value)
        found.append(value)
    return found
