"""Who the patient is and why they are here."""

import uuid
from datetime import date

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from patients.names import SEX_LETTERS, display_name
from patients.validation import (
    MRN_LENGTH,
    OLDEST_AGE,
    check_birth_date,
    check_mrn,
    check_one_line,
    check_some_lines,
    full_years,
)

NAME_LENGTH = 120
AREA_LENGTH = 40
COMPLAINT_LENGTH = 1000
# Sorts patients who are not in the ER behind every triage level.
NOT_URGENT = 6


class Sex(models.TextChoices):
    """Administrative sex as HL7 and DICOM use it, with U where nobody knows it yet."""

    FEMALE = "F", pgettext_lazy("sex", "Female")
    MALE = "M", pgettext_lazy("sex", "Male")
    OTHER = "O", pgettext_lazy("sex", "Other")
    UNKNOWN = "U", pgettext_lazy("sex", "Unknown")


class Patient(models.Model):
    """A person with a medical record number, or with a temporary one until it is known.

    The block "as of the last visit" repeats what the visits say, so that lists of
    100,000 patients filter and sort on one table; patients.summary alone writes it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    mrn = models.CharField(  # noqa: DJ001
        _("MRN"), max_length=MRN_LENGTH, null=True, blank=True, validators=[check_mrn]
    )
    temporary_id = models.CharField(max_length=12, null=True, unique=True)  # noqa: DJ001
    family_name = models.CharField(
        _("family name"), max_length=NAME_LENGTH, validators=[check_one_line]
    )
    given_name = models.CharField(
        _("given name"), max_length=NAME_LENGTH, blank=True, validators=[check_one_line]
    )
    birth_date = models.DateField(
        _("birth date"), null=True, blank=True, validators=[check_birth_date]
    )
    age_estimated = models.PositiveSmallIntegerField(
        _("estimated age"), null=True, blank=True, validators=[MaxValueValidator(OLDEST_AGE)]
    )
    sex = models.CharField(_("sex"), max_length=1, choices=Sex.choices, default=Sex.UNKNOWN)

    # Folded forms (patients.folding). Collation C makes one index serve prefix and order.
    mrn_key = models.CharField(  # noqa: DJ001
        max_length=MRN_LENGTH, null=True, editable=False, db_collation="C"
    )
    name_key = models.CharField(max_length=400, editable=False, db_collation="C")

    # as of the last visit
    last_visit = models.ForeignKey("Visit", models.SET_NULL, null=True, related_name="+")
    arrived_at = models.DateTimeField(default=timezone.now)
    left_at = models.DateTimeField(null=True)
    in_er = models.BooleanField(default=False)
    triage_level = models.PositiveSmallIntegerField(null=True)
    urgency = models.PositiveSmallIntegerField(default=NOT_URGENT)
    area_key = models.CharField(max_length=120, blank=True, default="", db_collation="C")

    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True)
    deleted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    # The record that this one went into; a merged record is a deleted one, too.
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, related_name="merged")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | Q(deleted_at__isnull=False),
                name="patient_merged_is_deleted",
            ),
            models.UniqueConstraint(
                fields=["mrn_key"],
                condition=Q(deleted_at__isnull=True),
                name="patient_mrn_once",
            ),
            models.CheckConstraint(
                condition=Q(mrn__isnull=False) | Q(temporary_id__isnull=False),
                name="patient_has_a_number",
            ),
            models.CheckConstraint(
                condition=Q(mrn__isnull=True, mrn_key__isnull=True)
                | (Q(mrn__isnull=False, mrn_key__isnull=False) & ~Q(mrn_key="")),
                name="patient_mrn_is_folded",
            ),
            models.CheckConstraint(condition=~Q(family_name=""), name="patient_has_a_name"),
            models.CheckConstraint(condition=Q(sex__in=["F", "M", "O", "U"]), name="patient_sex"),
            models.CheckConstraint(
                condition=Q(age_estimated__isnull=True) | Q(age_estimated__lte=OLDEST_AGE),
                name="patient_age_is_human",
            ),
        ]
        indexes = [
            models.Index(
                fields=["-arrived_at", "-id"],
                condition=Q(deleted_at__isnull=True),
                name="patient_by_arrival",
            ),
            models.Index(
                fields=["urgency", "arrived_at", "id"],
                condition=Q(deleted_at__isnull=True),
                name="patient_by_urgency",
            ),
            models.Index(
                fields=["name_key", "id"],
                condition=Q(deleted_at__isnull=True),
                name="patient_by_name",
            ),
            models.Index(
                fields=["created_at", "id"],
                condition=Q(deleted_at__isnull=True),
                name="patient_by_registration",
            ),
            models.Index(fields=["birth_date", "id"], name="patient_by_birth"),
            models.Index(
                fields=["-arrived_at", "-id"],
                condition=Q(deleted_at__isnull=True, in_er=True),
                name="patient_in_er",
            ),
            models.Index(
                fields=["left_at"], condition=Q(left_at__isnull=False), name="patient_by_leaving"
            ),
            models.Index(
                fields=["area_key", "-arrived_at", "-id"],
                condition=Q(deleted_at__isnull=True),
                name="patient_by_area",
            ),
            models.Index(
                fields=["triage_level", "-arrived_at", "-id"],
                condition=Q(deleted_at__isnull=True),
                name="patient_by_triage",
            ),
            models.Index(
                fields=["-deleted_at", "-id"],
                condition=Q(deleted_at__isnull=False),
                name="patient_deleted",
            ),
        ]

    def __str__(self) -> str:
        # Only the id: a name here would end up in logs and tracebacks.
        return f"patient {self.pk}"

    @property
    def display_name(self) -> str:
        """Return the name as the reader's language writes it."""
        return display_name(self.family_name, self.given_name)

    @property
    def sex_letter(self) -> str:
        """Return the sex as short as a list needs it."""
        return str(SEX_LETTERS[self.sex])

    @property
    def number(self) -> str:
        """Return the medical record number, or the temporary one."""
        return self.mrn or self.temporary_id or ""

    @property
    def age(self) -> int | None:
        """Return full years today by birth date, else the estimate, else None."""
        return self.age_on(timezone.localdate())

    def age_on(self, day: date) -> int | None:
        return full_years(self.birth_date, day) if self.birth_date else self.age_estimated

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None


class SearchKey(models.Model):
    """One folded text that a search may begin: a name from one of its words on, or a number."""

    class Kind(models.TextChoices):
        NAME = "name"
        NUMBER = "number"

    patient = models.ForeignKey(Patient, models.CASCADE, related_name="search_keys")
    kind = models.CharField(max_length=6, choices=Kind.choices)
    key = models.CharField(max_length=400, db_collation="C")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["patient", "kind", "key"], name="search_key_once")
        ]
        indexes = [models.Index(fields=["key", "patient"], name="search_key_prefix")]

    def __str__(self) -> str:
        return f"search key of patient {self.patient_id}"


class Visit(models.Model):
    """One stay of a patient in the emergency room."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="visits")
    triage_level = models.PositiveSmallIntegerField(
        _("triage level"), validators=[MinValueValidator(1), MaxValueValidator(5)]
    )
    area = models.CharField(
        _("area"), max_length=AREA_LENGTH, blank=True, validators=[check_one_line]
    )
    chief_complaint = models.CharField(
        _("chief complaint"), max_length=COMPLAINT_LENGTH, blank=True, validators=[check_some_lines]
    )
    attending = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="attended_visits",
        verbose_name=_("attending"),
    )
    opened_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(_("end"), null=True)
    version = models.PositiveIntegerField(default=1)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(triage_level__gte=1, triage_level__lte=5), name="visit_triage_1_to_5"
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | Q(closed_at__gte=F("opened_at")),
                name="visit_closes_after_it_opens",
            ),
        ]
        indexes = [
            models.Index(fields=["patient", "-opened_at"], name="visit_of_patient"),
            models.Index(
                fields=["area"], condition=Q(closed_at__isnull=True), name="visit_open_area"
            ),
            models.Index(
                fields=["closed_at"],
                condition=Q(closed_at__isnull=False),
                name="visit_by_closing",
            ),
        ]

    def __str__(self) -> str:
        return f"visit {self.pk}"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def status(self) -> str:
        """Return "open" or "closed"."""
        return "open" if self.is_open else "closed"


class PatientChange(models.Model):
    """What was changed in a patient's or a visit's data, by whom and when."""

    class Action(models.TextChoices):
        REGISTERED = "registered", _("registered")
        EDITED = "edited", _("changed")
        DELETED = "deleted", _("deleted")
        RESTORED = "restored", _("restored")
        MERGED = "merged", _("merged with another record")
        UNMERGED = "unmerged", _("merge undone")
        VISIT_OPENED = "visit_opened", _("visit opened")
        VISIT_EDITED = "visit_edited", _("visit changed")
        VISIT_CLOSED = "visit_closed", _("visit closed")
        VISIT_REOPENED = "visit_reopened", _("visit reopened")

    patient = models.ForeignKey(Patient, models.CASCADE, related_name="changes")
    visit = models.ForeignKey(Visit, models.CASCADE, null=True, related_name="changes")
    action = models.CharField(max_length=16, choices=Action.choices)
    # field name → [before, after]
    values = models.JSONField(default=dict)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["patient", "-at", "-id"], name="change_of_patient")]

    def __str__(self) -> str:
        return f"change of patient {self.patient_id}"


class Attendance(models.Model):
    """That a user cared for a patient, who stays visible to them from then on."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="attendances")
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="attendances")
    since_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "patient"], name="attendance_once")]

    def __str__(self) -> str:
        return f"attendance of user {self.user_id}"


class BreakGlass(models.Model):
    """A patient's record opened outside the rule, with the typed reason, for a limited time."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="break_glasses")
    reason = models.CharField(max_length=300)
    at = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(until__gt=F("at")), name="break_glass_ends_later"),
            models.CheckConstraint(condition=~Q(reason=""), name="break_glass_has_a_reason"),
        ]
        indexes = [
            models.Index(fields=["user", "until"], name="break_glass_of_user"),
            models.Index(fields=["-at", "-id"], name="break_glass_by_time"),
        ]

    def __str__(self) -> str:
        return f"break-glass of user {self.user_id}"


class Merge(models.Model):
    """Two records of one person put together, with all that it takes to part them again.

    moved: ids of what went over, by kind; adopted: field → [before, after] of the kept record
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kept = models.ForeignKey(Patient, models.CASCADE, related_name="merges")
    gone = models.ForeignKey(Patient, models.CASCADE, related_name="+")
    moved = models.JSONField(default=dict)
    adopted = models.JSONField(default=dict)
    reason = models.CharField(max_length=300)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    undone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(kept=F("gone")), name="merge_of_two"),
            models.UniqueConstraint(
                fields=["gone"], condition=Q(undone_at__isnull=True), name="merge_once"
            ),
        ]
        indexes = [models.Index(fields=["-at", "-id"], name="merge_by_time")]

    def __str__(self) -> str:
        return f"merge {self.pk}"


class PatientImport(models.Model):
    """Lines of a CSV that somebody looks at before they become patients.

    lines: number and fields of those that can be registered; emptied once they are
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    lines = models.JSONField(default=list)
    errors = models.JSONField(default=list)
    registered = models.PositiveIntegerField(null=True)

    def __str__(self) -> str:
        return f"import {self.pk}"
