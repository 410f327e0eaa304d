"""The place on a page that takes films for a visit."""

from typing import Any

from django import template
from django.conf import settings

from patients.models import Visit

register = template.Library()


@register.inclusion_tag("diagnosis/_dropzone.html", takes_context=True)
def upload_zone(context: template.Context, visit: Visit) -> dict[str, Any]:
    """Show the drop zone of an open visit."""
    return {
        "visit": visit,
        "max_bytes": settings.UPLOAD_MAX_BYTES,
        "question": context.get("question", False),
        "csrf_token": context.get("csrf_token", ""),
    }
