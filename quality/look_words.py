"""First looks in words: two sentences, each with the bar of its counts."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from diagnosis.display import figure
from quality.charts import Bar, shares
from quality.first_looks import FirstLooks

WIDTH, HEIGHT = 240, 14


@dataclass(frozen=True)
class Item:
    """One count of a bar; kind names its colour."""

    kind: str
    words: str
    count: int


@dataclass(frozen=True)
class Part:
    """One sentence, its bar and what its pieces are."""

    words: str
    items: list[Item]
    bars: list[Bar]


def parts_of(found: FirstLooks) -> list[Part]:
    """Return how first looks compare with the network, and with what was signed."""
    return [_beside_network(found), _beside_signature(found)]


def _part(words: str, items: list[Item]) -> Part:
    counted = [item for item in items if item.count]
    bars = shares([(item.kind, item.count) for item in counted], width=WIDTH, height=HEIGHT)
    return Part(words, counted, bars)


def _beside_network(found: FirstLooks) -> Part:
    if found.definite:
        words = ngettext(
            "Of %(n)d first look that said normal or not, %(same)d agreed with the network "
            "(%(share)s %%).",
            "Of %(n)d first looks that said normal or not, %(same)d agreed with the network "
            "(%(share)s %%).",
            found.definite,
        ) % {
            "n": found.definite,
            "same": found.same,
            "share": figure(100 * found.same / found.definite, 0),
        }
    else:
        words = _("Every first look was unsure.")
    return _part(
        words,
        [
            Item("agree", _("as the network"), found.same),
            Item("disagree", _("the network marked what looked normal"), found.network_more),
            Item("other", _("the network marked nothing where something was seen"),
                 found.network_less),
            Item("unsure", _("unsure at first"), found.unsure),
        ],
    )  # fmt: skip


def _beside_signature(found: FirstLooks) -> Part:
    if not found.signed:
        return Part(_("None of them is signed yet."), [], [])
    words = ngettext(
        "Of %(n)d that was signed, %(changed)d ended otherwise than the first look had it.",
        "Of %(n)d that were signed, %(changed)d ended otherwise than the first look had it.",
        found.signed,
    ) % {"n": found.signed, "changed": found.changed}
    return _part(
        words,
        [
            Item("agree", _("signed as first seen"), found.kept),
            Item("disagree", _("changed, to what the network had"), found.followed),
            Item("other", _("changed, against the network"), found.otherwise),
            Item("unsure", _("unsure at first, then decided"), found.decided),
        ],
    )
