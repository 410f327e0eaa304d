"""What the films show: films, their analyses, what was found, what a person read."""

import uuid

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from .states import ACTIVE, FINAL, Status

# A worker beats every 3 s; one that missed four beats is taken for dead.
HEARTBEAT_S = 3
WORKER_DEAD_S = 15


class Study(models.Model):
    """The films of one examination within a visit (a DICOM study; one unnamed study otherwise)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    visit = models.ForeignKey("patients.Visit", on_delete=models.CASCADE, related_name="studies")
    study_uid = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "studies"
        constraints = [
            models.UniqueConstraint(fields=["visit", "study_uid"], name="study_once_per_visit"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Film(models.Model):
    """One radiograph; its bytes lie in the storage under their sha256."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="films")
    visit = models.ForeignKey("patients.Visit", on_delete=models.CASCADE, related_name="films")
    patient = models.ForeignKey("patients.Patient", on_delete=models.CASCADE, related_name="films")
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    format = models.CharField(max_length=16)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    view = models.CharField(max_length=16, blank=True)
    sop_uid = models.CharField(max_length=64, blank=True)
    # The file's own patient id is compared and forgotten: null where the file names none.
    patient_id_matches = models.BooleanField(null=True)
    pixel_spacing_mm = models.JSONField(null=True)
    # Stored bits per pixel; null for a film from before they were kept.
    bits = models.PositiveSmallIntegerField(null=True)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    uploaded_at = models.DateTimeField(db_default=Now())
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-uploaded_at", "id"]
        constraints = [
            # The same bytes twice for one patient are one film.
            models.UniqueConstraint(
                fields=["patient", "sha256"],
                condition=Q(deleted_at__isnull=True),
                name="film_once_per_patient",
            ),
            models.CheckConstraint(
                condition=Q(width__gt=0, height__gt=0, size__gt=0), name="film_has_pixels"
            ),
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="film_sha256_is_hex"
            ),
        ]
        indexes = [
            models.Index(fields=["sha256"], name="film_by_content"),
            models.Index(
                fields=["patient", "-uploaded_at"],
                condition=Q(deleted_at__isnull=True),
                name="film_history",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class FilmMove(models.Model):
    """A film that was filed wrongly and put right; both histories show it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    film = models.ForeignKey(Film, on_delete=models.CASCADE, related_name="moves")
    from_visit = models.ForeignKey("patients.Visit", on_delete=models.CASCADE, related_name="+")
    to_visit = models.ForeignKey("patients.Visit", on_delete=models.CASCADE, related_name="+")
    from_patient = models.ForeignKey("patients.Patient", on_delete=models.CASCADE, related_name="+")
    to_patient = models.ForeignKey("patients.Patient", on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=400)
    moved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    moved_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-moved_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(from_visit=F("to_visit")), name="film_move_goes_elsewhere"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="film_move_has_reason"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Analysis(models.Model):
    """One reading of one film by one release; only diagnosis.queue writes its status.

    attempt counts the claims and is the fence: a worker writes only under the attempt it claimed.
    released counts the claims that were given back because their worker died.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    film = models.ForeignKey(Film, on_delete=models.CASCADE, related_name="analyses")
    release = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.QUEUED)
    reason = models.CharField(max_length=40, blank=True)
    incident = models.CharField(max_length=16, blank=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    released = models.PositiveSmallIntegerField(default=0)
    worker = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    available_at = models.DateTimeField(db_default=Now())
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    quality = models.JSONField(null=True)
    abnormal = models.FloatField(
        null=True, validators=[MinValueValidator(0.0), MaxValueValidator(1.0)]
    )
    anomaly = models.JSONField(null=True)
    anatomy = models.JSONField(null=True)
    # {"pneumonia", "threshold"} of the children's reader; null where it was not asked
    child = models.JSONField(null=True)
    timings_ms = models.JSONField(default=dict)
    images = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "analyses"
        ordering = ["-created_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=Status.values), name="analysis_status_known"
            ),
            models.CheckConstraint(
                condition=Q(status=Status.RUNNING, lease_until__isnull=False)
                | (~Q(status=Status.RUNNING) & Q(lease_until__isnull=True)),
                name="analysis_lease_iff_running",
            ),
            models.CheckConstraint(
                condition=Q(status__in=sorted(FINAL), finished_at__isnull=False)
                | Q(status__in=sorted(ACTIVE), finished_at__isnull=True),
                name="analysis_finished_iff_final",
            ),
            models.CheckConstraint(
                condition=(Q(status__in=[Status.REFUSED, Status.FAILED]) & ~Q(reason=""))
                | (~Q(status__in=[Status.REFUSED, Status.FAILED]) & Q(reason="")),
                name="analysis_reason_iff_refused_or_failed",
            ),
            models.CheckConstraint(
                condition=Q(released__lte=F("attempt")), name="analysis_released_within_attempts"
            ),
            models.CheckConstraint(
                condition=Q(abnormal__isnull=True) | Q(abnormal__gte=0.0, abnormal__lte=1.0),
                name="analysis_abnormal_is_probability",
            ),
            # Kills the double click: one film is read by one release once at a time.
            models.UniqueConstraint(
                fields=["film", "release"],
                condition=Q(status__in=sorted(ACTIVE)),
                name="analysis_one_active_per_film_and_release",
            ),
        ]
        indexes = [
            # Active rows are few and final rows are many: the queue looks at these two only.
            models.Index(
                fields=["created_at"],
                condition=Q(status=Status.QUEUED),
                name="analysis_waiting",
            ),
            models.Index(
                fields=["lease_until"],
                condition=Q(status=Status.RUNNING),
                name="analysis_leased",
            ),
            models.Index(fields=["film", "-created_at"], name="analysis_of_film"),
            models.Index(fields=["updated_at", "id"], name="analysis_since"),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def is_final(self) -> bool:
        """Whether no event can move it any more."""
        return self.status in FINAL


class Finding(models.Model):
    """The calibrated probability of one disease in one analysis, beside its operating point."""

    analysis = models.ForeignKey(Analysis, on_delete=models.CASCADE, related_name="findings")
    code = models.CharField(max_length=40)
    probability = models.FloatField()
    threshold = models.FloatField()
    above = models.BooleanField()
    rank = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["rank"]
        constraints = [
            models.UniqueConstraint(fields=["analysis", "code"], name="finding_once"),
            models.UniqueConstraint(fields=["analysis", "rank"], name="finding_rank_once"),
            models.CheckConstraint(
                condition=Q(probability__gte=0.0, probability__lte=1.0),
                name="finding_is_probability",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Lesion(models.Model):
    """A box on the film; its corners are fractions of the film as displayed upright."""

    analysis = models.ForeignKey(Analysis, on_delete=models.CASCADE, related_name="lesions")
    label = models.CharField(max_length=40)
    score = models.FloatField()
    x0 = models.FloatField()
    y0 = models.FloatField()
    x1 = models.FloatField()
    y1 = models.FloatField()
    shown = models.BooleanField()

    class Meta:
        ordering = ["-score", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(x0__gte=0.0, y0__gte=0.0, x1__lte=1.0, y1__lte=1.0)
                & Q(x0__lte=F("x1"), y0__lte=F("y1")),
                name="lesion_lies_on_film",
            ),
        ]

    def __str__(self) -> str:
        return self.label


class Reading(models.Model):
    """What a person signed about a film; never the same row as what the networks found."""

    class Verdict(models.TextChoices):
        AGREE = "agree", _("Agree")
        DISAGREE = "disagree", _("Disagree")
        UNSURE = "unsure", _("Unsure")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    analysis = models.ForeignKey(Analysis, on_delete=models.CASCADE, related_name="readings")
    version = models.PositiveSmallIntegerField()
    verdict = models.CharField(max_length=8, choices=Verdict.choices)
    # code of a finding → verdict on it
    findings = models.JSONField(default=dict)
    # what the networks missed: [{"code", "words", "box": [x0, y0, x1, y1] or null}]
    added = models.JSONField(default=list)
    # the report as it was signed
    report = models.TextField(blank=True)
    note = models.TextField(blank=True)
    signed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    signed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-version"]
        constraints = [
            # An amendment is a further version; a signed one is never changed.
            models.UniqueConstraint(fields=["analysis", "version"], name="reading_version_once"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class FirstLook(models.Model):
    """What a person saw on the film before the networks' reading was shown to them."""

    class Impression(models.TextChoices):
        NORMAL = "normal", _("Nothing that needs action")
        ABNORMAL = "abnormal", _("Something is there")
        UNSURE = "unsure", _("Unsure")

    analysis = models.ForeignKey(Analysis, on_delete=models.CASCADE, related_name="first_looks")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    impression = models.CharField(max_length=8, choices=Impression.choices)
    # codes of the findings that they saw
    codes = models.JSONField(default=list)
    looked_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["analysis", "user"], name="first_look_once")]

    def __str__(self) -> str:
        return str(self.pk)


class FilmPresence(models.Model):
    """The last sign of a person who has the film open."""

    film = models.ForeignKey(Film, on_delete=models.CASCADE, related_name="presences")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["film", "user"], name="film_presence_once")]

    def __str__(self) -> str:
        return str(self.pk)


class QuickRead(models.Model):
    """A film that is read for one question, without a patient; kept for an hour.

    state: a Status value without cancelled; answer: what the page shows, empty until succeeded
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    child = models.BooleanField()
    state = models.CharField(max_length=16, choices=Status.choices, default=Status.QUEUED)
    reason = models.CharField(max_length=40, blank=True)
    answer = models.JSONField(default=dict)
    attempt = models.PositiveSmallIntegerField(default=0)
    taken_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["state", "created_at"], name="quick_read_waiting")]

    def __str__(self) -> str:
        return str(self.id)


class UploadKey(models.Model):
    """An Idempotency-Key that a user has used, and what it made."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    visit = models.ForeignKey("patients.Visit", on_delete=models.CASCADE, related_name="+")
    sha256 = models.CharField(max_length=64)
    film = models.ForeignKey(Film, on_delete=models.CASCADE, related_name="+")
    analysis = models.ForeignKey(Analysis, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="upload_key_once_per_user"),
        ]
        indexes = [models.Index(fields=["created_at"], name="upload_key_age")]

    def __str__(self) -> str:
        return str(self.pk)


class WorkerHeartbeat(models.Model):
    """The last sign of life of one worker process."""

    class State(models.TextChoices):
        STARTING = "starting", _("starting")
        IDLE = "idle", _("idle")
        READING = "reading", _("reading")
        NO_RELEASE = "no_release", _("no release")

    name = models.CharField(max_length=100, unique=True)
    seen_at = models.DateTimeField(db_default=Now())
    pid = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=State.choices)

    def __str__(self) -> str:
        return self.name
