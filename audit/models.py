"""One row for everything that was seen, taken out, changed or refused."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Via(models.TextChoices):
    WEB = "web", _("Pages")
    API = "api", _("API")
    COMMAND = "command", _("Command line")
    WORKER = "worker", _("Worker")


class Entry(models.Model):
    """What somebody did to something, in ids and codes.

    No column is a foreign key and none holds a name or a value: an entry outlives
    the rows that it speaks of, and erasing a patient leaves nothing to erase here.
    The database refuses UPDATE, DELETE and TRUNCATE by trigger and by grant.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(default=timezone.now, editable=False)
    actor_id = models.UUIDField(null=True)
    action = models.CharField(max_length=64)
    target_type = models.CharField(max_length=64, blank=True)
    target_id = models.CharField(max_length=64, blank=True)
    patient_id = models.UUIDField(null=True)
    reason = models.CharField(max_length=64, blank=True)
    detail = models.JSONField(default=dict)
    via = models.CharField(max_length=8, choices=Via.choices)
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["at"], name="audit_entry_at"),
            models.Index(fields=["actor_id", "-id"], name="audit_entry_actor"),
            models.Index(fields=["patient_id", "-id"], name="audit_entry_patient"),
            models.Index(fields=["action", "-id"], name="audit_entry_action"),
            models.Index(fields=["target_id", "-id"], name="audit_entry_target"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(via__in=Via.values), name="audit_entry_via_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.action}"
