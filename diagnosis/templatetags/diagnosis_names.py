"""Findings in words, for pages of other applications."""

from django import template

from diagnosis import display

register = template.Library()


@register.filter
def finding_name(code: str) -> str:
    """The finding's name in the reader's language."""
    return display.name_of(code)


@register.filter
def percent(share: float) -> str:
    """A share from 0 to 1 as a whole number of hundred, in the reader's notation."""
    return display.figure(100 * share, 0)
