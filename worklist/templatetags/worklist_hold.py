"""Who has the study of a film, and which one is next, for the reading view."""

from typing import Any

from django import template

from accounts.models import User
from diagnosis.models import Film
from diagnosis.states import Status
from worklist import selectors
from worklist.display import waited_words

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


@register.inclusion_tag("worklist/_next.html", takes_context=True)
def next_study(context: template.Context, film: Film) -> dict[str, Any]:
    """Lead to the most urgent study that is read and in nobody else's hands; it names nobody."""
    user: User = context["user"]
    queue = selectors.queue_for(user)
    free = (
        item
        for item in queue.items
        if item.lead.status == Status.SUCCEEDED
        and item.waiting.study_id != film.study_id
        and (item.hold is None or item.hold.user_id == user.pk)
    )
    item = next(free, None)
    if item is None:
        return {}
    waited = waited_words(item.waiting.since, queue.at)
    return {"film_id": item.lead.film_id, "triage": item.waiting.triage, "waited": waited}
