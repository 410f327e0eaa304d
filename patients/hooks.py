"""Where other applications join in when a patient leaves, is merged, or is taken out whole.

Each function is called inside the transaction, and bytes outside the database go in
transaction.on_commit.

before_erase(patient, by): remove what is kept about the patient; by is None for the site's rule.
on_merge(gone, kept): file under `kept` what is filed under `gone`, whose visits have moved
    already; returns kind → ids, which on_unmerge(gone, kept, moved) gets back.
exporters(patient, by): what is kept about the patient: documents by name, then files by name.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from accounts.models import User
from patients.models import Patient

Moved = dict[str, list[str]]


@dataclass(frozen=True)
class Exported:
    """documents: name → what goes into the record as JSON; files: name → bytes, made one by one."""

    documents: dict[str, Any] = field(default_factory=dict)
    files: Iterable[tuple[str, bytes]] = ()


before_erase: list[Callable[[Patient, User | None], None]] = []
on_merge: list[Callable[[Patient, Patient], Moved]] = []
on_unmerge: list[Callable[[Patient, Patient, Moved], None]] = []
exporters: list[Callable[[Patient, User], Exported]] = []
