"""The roles that an account can have."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Role(TextChoices):
    PHYSICIAN = "physician", _("Physician")
    NURSE = "nurse", _("Nurse")
    RADIOGRAPHER = "radiographer", _("Radiographer")
    RADIOLOGIST = "radiologist", _("Radiologist")
    INTEGRATION = "integration", _("Integration (a program)")
    ADMINISTRATOR = "administrator", _("Administrator")
