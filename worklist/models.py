"""Who has a study."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class Hold(models.Model):
    """That somebody reads the films of a study; at most one person at a time."""

    study = models.OneToOneField("diagnosis.Study", models.CASCADE, related_name="hold")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="holds")
    taken_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"hold of study {self.study_id}"
