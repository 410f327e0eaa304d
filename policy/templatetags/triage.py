"""{% triage level %}: a triage level as this site's scale writes it."""

from django import template
from django.template.context import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from policy.triage import Level, Scale, scale_in_use, title_of

register = template.Library()


def _scale(context: Context) -> Scale:
    found: Scale = context.get("triage_scale") or scale_in_use()
    return found


@register.simple_tag(takes_context=True)
def triage(context: Context, number: int, words: bool = False) -> SafeString:
    """The level as number and colour; its word beside it, or in the hint and for screen readers."""
    scale = _scale(context)
    level = scale.level(number)
    mark = format_html(
        '<span class="triage triage-{} triage-is-{}" title="{}">'
        '<span class="visually-hidden">{} </span>{}{}</span>',
        level.number,
        level.colour,
        title_of(scale, level),
        scale.name or _("Triage level"),
        level.number,
        "" if words or not level.word else _hidden(level),
    )
    if not words or not level.word:
        return mark
    return format_html('{} <span class="triage-word">{}</span>', mark, level.word)


@register.simple_tag(takes_context=True)
def triage_word(context: Context, number: int | str) -> str:
    """The level's word alone; empty where levels are plain numbers."""
    return str(_scale(context).level(int(number)).word)


@register.simple_tag(takes_context=True)
def triage_colour(context: Context, number: int | str) -> str:
    """The level's colour by name."""
    return _scale(context).level(int(number)).colour


@register.simple_tag(takes_context=True)
def triage_name(context: Context) -> str:
    """What the site's scale is called, or that it is a triage level."""
    return _scale(context).name or _("Triage level")


def _hidden(level: Level) -> SafeString:
    return format_html('<span class="visually-hidden"> {}</span>', level.word)
