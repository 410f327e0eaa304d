"""What a release that runs silently beside the active one made of the same films."""

from django.db import models
from django.db.models.functions import Now


class ShadowReading(models.Model):
    """One film as the silent release read it; nobody is shown it beside the film.

    analysis: the active release's own; probabilities, thresholds: finding → 0..1
    """

    analysis = models.ForeignKey("diagnosis.Analysis", models.CASCADE, related_name="shadows")
    release = models.CharField(max_length=64)
    refused = models.CharField(max_length=40, blank=True)
    probabilities = models.JSONField(default=dict)
    thresholds = models.JSONField(default=dict)
    read_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["analysis", "release"], name="shadow_reading_once"),
        ]
        indexes = [models.Index(fields=["release", "-id"], name="shadow_of_release")]

    def __str__(self) -> str:
        return f"shadow of analysis {self.analysis_id}"
