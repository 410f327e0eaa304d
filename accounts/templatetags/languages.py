"""The languages that pages offer."""

from django import template
from django.conf import settings

register = template.Library()


@register.simple_tag
def offered_languages() -> list[tuple[str, str]]:
    """Return code and own name of each language; Django's tag would translate the names."""
    return list(settings.LANGUAGES)
