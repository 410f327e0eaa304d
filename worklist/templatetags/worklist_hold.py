"""Who has the study of a film, for the reading view."""

from typing import Any

from django import template

from diagnosis.models import Film
from worklist import selectors

register = template.Library()


@register.inclusion_tag("worklist/_hold.html", takes_context=True)
def hold_bar(context: template.Context, film: Film) -> dict[str, Any]:
    """Show who has the film's study, with take and release; it keeps itself up to date."""
    return {
        "study_id": film.study_id,
        "hold": selectors.holder_of(film.study_id),
        "user": context["user"],
        "request": context["request"],
        "csrf_token": context.get("csrf_token", ""),
    }
