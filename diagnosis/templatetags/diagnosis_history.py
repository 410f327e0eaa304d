"""The films of a patient, for pages of other applications."""

from typing import Any

from django import template

from diagnosis import display, reading_view, selectors
from patients.models import Patient

register = template.Library()


@register.inclusion_tag("diagnosis/_history.html", takes_context=True)
def patient_history(context: dict[str, Any], patient: Patient) -> dict[str, Any]:
    """The patient's films, newest first, as far as the user may see them."""
    request = context["request"]
    films = list(selectors.history_for(request.user, patient))
    hidden = reading_view.hidden_of(request.user, films)
    return {
        "patient": patient,
        "items": display.strip_of(films, hidden=hidden),
        "moved_away": selectors.films_moved_away(patient),
        "user": request.user,
        "request": request,
    }
