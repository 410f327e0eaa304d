"""Fill an empty database with the patients, visits, films, analyses and record of a hospital.

Everything is drawn from a seed; names follow how common they are, so that a search for a
frequent one meets a third of the table. Rows are copied in by the tables' owner and pass
every constraint. Findings are drawn for the last tenth of the visits, on which the pages that
show them are measured.
"""

import random
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from ml.bundle import current_release
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


# Films and analyses need no folding, so the database draws them itself.
FILMS = (
    """
    INSERT INTO diagnosis_study (id, visit_id, study_uid, created_at)
    SELECT gen_random_uuid(), id, '', opened_at FROM patients_visit
    """,
    """
    INSERT INTO diagnosis_film (id, study_id, visit_id, patient_id, sha256, size, format, width,
        height, view, sop_uid, uploaded_by_id, uploaded_at)
    SELECT gen_random_uuid(), s.id, v.id, v.patient_id,
        encode(sha256(convert_to(v.id::text || n, 'UTF8')), 'hex'), 1000000, 'png', 1024,
        1024, 'PA', '', %(by)s, v.opened_at + n * interval '10 minutes'
    FROM patients_visit v JOIN diagnosis_study s ON s.visit_id = v.id,
        generate_series(1, %(each)s) n
    ORDER BY v.opened_at DESC LIMIT %(analyses)s
    """,
    """
    INSERT INTO diagnosis_analysis (id, film_id, release, status, reason, incident, attempt,
        released, worker, available_at, created_at, updated_at, started_at, finished_at, quality,
        abnormal, timings_ms, images)
    SELECT gen_random_uuid(), id, %(release)s,
        CASE WHEN refused THEN 'refused' ELSE 'succeeded' END,
        CASE WHEN refused THEN 'lateral' ELSE '' END, '', 1, 0, '', uploaded_at, uploaded_at,
        uploaded_at + interval '1 second', uploaded_at, uploaded_at + interval '1 second', '{}',
        CASE WHEN refused THEN NULL ELSE 0.4 END, '{}', %(images)s
    FROM (SELECT *, sha256 LIKE '00%%' AS refused FROM diagnosis_film) film
    """,
    """
    INSERT INTO diagnosis_finding (analysis_id, code, probability, threshold, above, rank)
    SELECT a.id, c.code, 0.9 / c.rank, 0.3, c.rank < 3, c.rank
    FROM diagnosis_analysis a, unnest(%(codes)s::text[]) WITH ORDINALITY AS c (code, rank)
    WHERE a.status = 'succeeded' AND a.created_at >= %(recent)s
    """,
    """
    INSERT INTO diagnosis_lesion (analysis_id, label, score, x0, y0, x1, y1, shown)
    SELECT id, 'Effusion', 0.6, 0.2, 0.5, 0.4, 0.8, true
    FROM diagnosis_analysis WHERE status = 'succeeded' AND created_at >= %(recent)s
    """,
    # Films of those who have left are signed, those of the ER wait.
    """
    INSERT INTO diagnosis_reading (id, analysis_id, version, verdict, findings, added, report, note,
        signed_by_id, signed_at)
    SELECT gen_random_uuid(), a.id, 1, 'agree', '{}', '[]', '', '', %(signer)s, a.finished_at
    FROM diagnosis_analysis a JOIN diagnosis_film f ON f.id = a.film_id
        JOIN patients_visit v ON v.id = f.visit_id
    WHERE a.status = 'succeeded' AND a.created_at >= %(recent)s AND v.closed_at IS NOT NULL
    """,
    # Who sent each film, and who looked at it.
    """
    INSERT INTO audit_entry (at, actor_id, action, target_type, target_id, patient_id, reason,
        detail, via, address, request_id)
    SELECT f.uploaded_at + n * interval '1 minute', %(by)s,
        (ARRAY['film.upload', 'film.view', 'image.view'])[n], 'diagnosis.film', f.id::text,
        f.patient_id, '', '{}', 'web', '10.0.0.9', ''
    FROM (SELECT * FROM diagnosis_film ORDER BY uploaded_at) f, generate_series(1, 3) n
    """,
    """
    INSERT INTO audit_entry (at, actor_id, action, target_type, target_id, patient_id, reason,
        detail, via, request_id)
    SELECT now(), NULL, 'sign_in.failed', '', '', NULL, 'password', '{}', 'web', ''
    FROM generate_series(1, 20)
    """,
)
# What a read film's analysis names; the files are not looked at by a page.
PICTURES = ("film", "boxes", "attention", "unet", "reversed_ae", "anatomy")


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
    parameters = {
        "analyses": hospital.analyses,
        "each": -(-hospital.analyses // len(visits)),
        "by": hospital.users["nurse"],
        "codes": list(NAMES),
        "recent": visits[-len(visits) // 10].opened_at,
        "release": current_release(None),
        "signer": hospital.users["radiologist"],
        "images": Jsonb({name: f"pictures/{name}.png" for name in PICTURES}),
    }
    for statement in FILMS:
        connection.execute(statement, parameters)


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
