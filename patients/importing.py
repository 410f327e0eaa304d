"""Patients from a CSV: read it, show every line's fault, register what is sound."""

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.permissions import Capability, require
from audit.services import record
from patients.folding import fold_number
from patients.forms import PatientForm
from patients.models import Patient, PatientImport
from patients.services import register_patient
from xraydx.errors import Conflict, NotFound, UserError, message_for

MOST_LINES = 1000
MOST_BYTES = 4 * 1024 * 1024
KEPT = timedelta(hours=24)
COLUMNS = ("mrn", "family_name", "given_name", "birth_date", "sex", "age_estimated")
SEXES = {"female": "F", "male": "M", "other": "O", "unknown": "U", "": "U"}
ENCODINGS = ("utf-8-sig", "utf-16")


@dataclass(frozen=True)
class Fault:
    """Why a line of the file can't be registered; number counts from 1, the head included."""

    number: int
    column: str
    text: str


def read_csv(*, data: bytes, by: User) -> PatientImport:
    """Read the file and keep its sound lines and all faults until somebody decides.

    raises: Forbidden; UserError("csv_unreadable", "csv_columns", "csv_too_long")
    """
    require(by, Capability.import_patients)
    if len(data) > MOST_BYTES:
        raise UserError("csv_too_long", field="file", params={"most": MOST_LINES})
    forget_old()
    sound: list[dict[str, Any]] = []
    faults: list[Fault] = []
    seen: dict[str, int] = {}
    for number, row in _rows(data):
        found = [_too_long(number)] if row is None else list(_faults(number, row, seen))
        faults += found
        if row is not None and not found:
            sound.append({"number": number, **row})
    _refuse_registered(sound, faults)
    faults.sort(key=lambda fault: fault.number)
    bad = {fault.number for fault in faults}
    kept = [line for line in sound if line["number"] not in bad]
    made = PatientImport.objects.create(by=by, lines=kept, errors=[asdict(one) for one in faults])
    record(
        actor=by,
        action="patient.read_csv",
        target=made,
        detail={"lines": len(kept), "refused": len(bad)},
    )
    return made


def import_for(user: User, import_id: UUID) -> PatientImport:
    """Return one's own import, or raise NotFound."""
    require(user, Capability.import_patients)
    found = PatientImport.objects.filter(pk=import_id, by=user).first()
    if found is None:
        raise NotFound("import_not_found")
    return found


def register_lines(*, import_id: UUID, by: User) -> PatientImport:
    """Register the sound lines; one that became unsound meanwhile is added to the faults.

    raises: Forbidden; NotFound; Conflict("import_done")
    """
    import_for(by, import_id)
    with transaction.atomic():
        held = PatientImport.objects.select_for_update().get(pk=import_id)
        if held.registered is not None:
            raise Conflict("import_done")
        faults = [fault for line in held.lines if (fault := _register(line, by)) is not None]
        held.registered = len(held.lines) - len(faults)
        held.errors = [*held.errors, *(asdict(fault) for fault in faults)]
        held.lines = []
        held.save()
        record(
            actor=by,
            action="patient.import",
            target=held,
            detail={"registered": held.registered, "refused": len(faults)},
        )
    return held


def _rows(data: bytes) -> Iterator[tuple[int, dict[str, str] | None]]:
    """Yield number and fields of each line that holds something; None for more than has a name."""
    reader = _reader(_decoded(data))
    try:
        head = _head(next(reader, []))
        for count, cells in enumerate(reader, 1):
            if count > MOST_LINES:
                raise UserError("csv_too_long", field="file", params={"most": MOST_LINES})
            if any(cell.strip() for cell in cells):
                yield reader.line_num, _row(head, [cell.strip() for cell in cells])
    except csv.Error as error:
        raise UserError("csv_unreadable", field="file") from error


def _head(cells: list[str]) -> list[str]:
    """Return the columns' names; one that stands twice would leave open which of them counts."""
    head = [_column(name) for name in cells]
    known = [name for name in head if name in COLUMNS]
    if "family_name" not in known or len(known) > len(set(known)):
        raise UserError("csv_columns", field="file")
    return head


def _row(head: list[str], cells: list[str]) -> dict[str, str] | None:
    if any(cells[len(head) :]):
        return None
    pairs = zip(head, cells, strict=False)
    row = dict.fromkeys(COLUMNS, "") | {k: v for k, v in pairs if k in COLUMNS}
    row["sex"] = SEXES.get(row["sex"].lower(), row["sex"].upper())
    return row


def _too_long(number: int) -> Fault:
    """An unquoted separator shifts all that stands behind it into the wrong column."""
    return Fault(number, "", _("The line has more fields than the first line has names."))


def _decoded(data: bytes) -> str:
    for encoding in ENCODINGS:
        if encoding == "utf-16" and not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            continue  # any even number of bytes would pass for it
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise UserError("csv_unreadable", field="file")


def _reader(text: str) -> Any:
    """Return a reader of the lines; Excel separates by semicolon in half of the world."""
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _column(name: str) -> str:
    return "_".join(name.strip().lower().replace("-", " ").split())


def _faults(number: int, row: dict[str, str], seen: dict[str, int]) -> Iterator[Fault]:
    """Yield what is wrong with the line by itself, or with a line before it."""
    form = PatientForm(row)
    for column, texts in form.errors.items():
        yield Fault(number, column, " ".join(str(text) for text in texts))
    mrn = fold_number(row["mrn"])
    if mrn and mrn in seen:
        yield Fault(number, "mrn", _("The same MRN stands in line %(line)d.") % {"line": seen[mrn]})
    elif mrn:
        seen[mrn] = number


def _refuse_registered(sound: list[dict[str, Any]], faults: list[Fault]) -> None:
    """Add a fault for every line whose number somebody has already."""
    numbers = {fold_number(line["mrn"]): line["number"] for line in sound if line["mrn"]}
    taken = Patient.objects.filter(deleted_at__isnull=True, mrn_key__in=list(numbers))
    what = str(message_for("mrn_taken").what)
    faults += [
        Fault(numbers[key or ""], "mrn", what) for key in taken.values_list("mrn_key", flat=True)
    ]


def _register(line: dict[str, Any], by: User) -> Fault | None:
    form = PatientForm({name: line[name] for name in COLUMNS})
    if not form.is_valid():  # a birth date that was sound yesterday stays sound; words may not
        return Fault(line["number"], "", " ".join(form.errors))
    try:
        with transaction.atomic():
            register_patient(by=by, **form.cleaned_data)
    except Conflict as error:
        return Fault(line["number"], error.field or "", str(message_for(error.code).what))
    return None


def forget_old() -> int:
    """Drop imports whose lines nobody registered within a day, and old ones; returns how many."""
    return PatientImport.objects.filter(at__lt=timezone.now() - KEPT).delete()[0]
