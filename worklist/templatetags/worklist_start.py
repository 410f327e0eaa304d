"""Whether the installation is new: then the worklist says what to do first."""

from django import template

from patients.models import Patient

register = template.Library()


@register.simple_tag
def installation_is_new() -> bool:
    """Tell whether no patient was ever registered."""
    return not Patient.objects.exists()
