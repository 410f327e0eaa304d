"""The site's rules, version by version; nothing here is ever changed."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class PolicyVersion(models.Model):
    """The rules as somebody saved them; the highest version holds."""

    version = models.PositiveIntegerField(unique=True)
    # policy.rules.to_json
    values = models.JSONField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-version"]

    def __str__(self) -> str:
        return f"policy {self.version}"


class SitePoint(models.Model):
    """An operating point that the site chose for a finding of one release; the last one holds.

    threshold: null to go back to the release's own
    sensitivity, specificity, alerts_per_100: what was shown to who saved it
    """

    release = models.CharField(max_length=64)
    code = models.CharField(max_length=40)
    threshold = models.FloatField(null=True)
    sensitivity = models.FloatField(null=True)
    specificity = models.FloatField(null=True)
    alerts_per_100 = models.FloatField(null=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(threshold__isnull=True) | Q(threshold__gte=0.0, threshold__lte=1.0),
                name="site_point_is_probability",
            ),
        ]
        indexes = [models.Index(fields=["release", "code", "-id"], name="site_point_of_release")]

    def __str__(self) -> str:
        return f"{self.code} of {self.release}"
