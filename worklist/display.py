"""The queue as the page shows it: words, marks, filters and what changed since."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zlib import crc32

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from accounts.models import User
from diagnosis.display import figure, name_of
from diagnosis.states import ACTIVE, Status
from patients.folding import fold_name, fold_number
from patients.models import Patient
from policy.rules import Policy
from policy.triage import SCALES, title_of
from worklist.priority import Found
from worklist.selectors import Item, Queue
from xraydx.errors import message_for

SHOWS = ("all", "mine", "sign", "refused")
NUMBER_TAIL = 4
GONE = "gone"


@dataclass(frozen=True)
class Filter:
    """What a person wants to see; text is a name or a number, kept in the session only."""

    show: str = "all"
    area: str = ""
    text: str = ""

    @property
    def narrows(self) -> bool:
        return self != Filter()


@dataclass(frozen=True)
class Row:
    """One study in words; state is one of read, reading, refused, failed, stopped."""

    id: UUID
    href: str
    triage: int
    triage_word: str
    triage_colour: str
    triage_title: str
    since: datetime
    waited: str
    aged: str
    name: str
    sex: str
    age: str
    number: str
    area: str
    state: str
    state_words: str
    finding: str
    more: str
    advice: str
    raised: str
    holder: str
    holder_id: UUID | None
    held: str
    mine: bool
    stamp: str


def rows_of(
    items: Sequence[Item], queue: Queue, people: Mapping[UUID, Patient], user: User
) -> list[Row]:
    """Return the studies in words. people: the patients by id"""
    return [_row(item, people[item.lead.patient_id], queue, user) for item in items]


def narrowed(items: Iterable[Item], wanted: Filter, user: User) -> list[Item]:
    """Return the studies that the filter lets through."""
    return [item for item in items if _in_area(item, wanted) and _shown(item, wanted.show, user)]


def counts_of(items: Iterable[Item], wanted: Filter, user: User) -> dict[str, int]:
    """Return how many studies each tab has, within the area and text that were chosen."""
    here = [item for item in items if _in_area(item, wanted)]
    return {show: sum(_shown(item, show, user) for item in here) for show in SHOWS}


def waited_words(since: datetime, now: datetime) -> str:
    """Return how long that is: minutes, then hours and minutes."""
    minutes = max(int((now - since).total_seconds()) // 60, 0)
    if minutes < 60:
        return _("%(minutes)d min") % {"minutes": minutes}
    hours, rest = divmod(minutes, 60)
    return _("%(hours)d h %(minutes)02d") % {"hours": hours, "minutes": rest}


def _row(item: Item, patient: Patient, queue: Queue, user: User) -> Row:
    hold = item.hold
    scale = SCALES[queue.policy.triage_scale]
    level = scale.level(item.waiting.triage)
    shown: dict[str, object] = {
        "triage": level.number,
        "triage_word": str(level.word),
        "triage_colour": level.colour,
        "triage_title": title_of(scale, level),
        "aged": _aged_words(item, queue.policy),
        "name": patient.display_name,
        "sex": patient.sex_letter,
        "age": _age(patient),
        "number": _tail(patient.number),
        "area": item.lead.area,
        "raised": _raised_words(item, queue.policy),
        "holder": str(hold.user) if hold else "",
        "holder_id": hold.user_id if hold else None,
        "held": date_format(localtime(hold.taken_at), "TIME_FORMAT") if hold else "",
        "mine": hold is not None and hold.user_id == user.pk,
        "href": reverse("diagnosis:film", args=[item.lead.film_id]),
        **_state(item, queue.policy),
    }
    stamp = f"{crc32(repr(sorted(shown.items())).encode()):08x}"
    waited = waited_words(item.waiting.since, queue.at)
    return Row(
        id=item.waiting.study_id,
        since=item.waiting.since,
        waited=waited,
        stamp=stamp,
        **shown,  # type: ignore[arg-type]
    )


def _state(item: Item, policy: Policy) -> dict[str, str]:
    """Return where the film stands, and what was found or is to be done."""
    lead = item.lead
    words = {"finding": "", "more": "", "advice": ""}
    if lead.status == Status.SUCCEEDED:
        return {**words, "state": "read", "state_words": _("read"), **_finding(item, policy)}
    if lead.status in ACTIVE:
        waiting = lead.status == Status.QUEUED
        return {
            **words,
            "state": "reading",
            "state_words": _("waiting") if waiting else _("reading …"),
        }
    if lead.status == Status.CANCELLED:
        return {**words, "state": "stopped", "state_words": _("stopped")}
    what, do = message_for(lead.reason).fill({})
    refused = lead.status == Status.REFUSED
    return {
        "state": "refused" if refused else "failed",
        "state_words": _("refused") if refused else _("failed"),
        "finding": what,
        "advice": do,
        "more": "",
    }


def _finding(item: Item, policy: Policy) -> dict[str, str]:
    """Return the finding that matters most, and how many more are marked."""
    if item.lead.hidden:
        return {"finding": _("hidden until you have looked")}
    marked = _marked(item, policy)
    if not marked:
        return {"finding": _("nothing marked")}
    first = marked[0]
    more = f"+{len(marked) - 1}" if len(marked) > 1 else ""
    others = ", ".join(f"{name_of(one.code)} {figure(one.probability)}" for one in marked[1:])
    return {
        "finding": f"{name_of(first.code)} {figure(first.probability)}",
        "more": more,
        "advice": others,
    }


def _marked(item: Item, policy: Policy) -> list[Found]:
    """Return what is marked, once each: what raised the study, the dangerous, the most probable.

    Films that wait for this person's first look say nothing.
    """
    best: dict[str, Found] = {}
    for one in (one for film in item.films if not film.hidden for one in film.found):
        counts = one.above or one.code == item.priority.raised_by
        if counts and one.code not in policy.muted:
            other = best.get(one.code)
            best[one.code] = one if other is None or one.probability > other.probability else other
    order = {code: place for place, code in enumerate(policy.dangerous)}

    def key(one: Found) -> tuple[bool, int, float]:
        return (
            one.code != item.priority.raised_by,
            order.get(one.code, len(order)),
            -one.probability,
        )

    return sorted(best.values(), key=key)


def _raised_words(item: Item, policy: Policy) -> str:
    """Return why the software raised the study, "" where it did not."""
    code, triage = item.priority.raised_by, item.waiting.triage
    if not code:
        return ""
    level = min(triage, policy.raises[code].level)
    if item.lead.hidden:
        return _("Raised by the software. The reason shows once you have looked.")
    words = {"finding": name_of(code), "triage": triage, "level": level}
    if level == triage:
        return _("%(finding)s is above this site's level. Triage is %(triage)d already.") % words
    return (
        _("%(finding)s is above this site's level: triage %(triage)d counts as %(level)d.") % words
    )


def _aged_words(item: Item, policy: Policy) -> str:
    """Return that the study moved up because of its wait, "" where it did not."""
    if not item.priority.aged or item.waiting.triage <= policy.aged_level:
        return ""
    return _("Has waited over %(minutes)d minutes: counts as triage %(level)d.") % {
        "minutes": policy.max_wait_minutes,
        "level": min(item.waiting.triage, policy.aged_level),
    }


def _age(patient: Patient) -> str:
    if patient.age is None:
        return ""
    return str(patient.age) if patient.birth_date else f"~{patient.age}"


def _tail(number: str) -> str:
    """Return the end of a number, enough to tell two patients of one name apart."""
    return number if len(number) <= NUMBER_TAIL + 2 else f"··{number[-NUMBER_TAIL:]}"


def _shown(item: Item, show: str, user: User) -> bool:
    if show == "mine":
        return item.hold is not None and item.hold.user_id == user.pk
    if show == "sign":
        return item.lead.status == Status.SUCCEEDED
    if show == "refused":
        return item.lead.status in {Status.REFUSED, Status.FAILED}
    return True


def _in_area(item: Item, wanted: Filter) -> bool:
    if wanted.area and item.lead.area != wanted.area:
        return False
    return not wanted.text or _named(item, wanted.text)


def _named(item: Item, text: str) -> bool:
    """Tell whether a word of the name begins so, or the number holds it."""
    name, number = fold_name(text), fold_number(text)
    key = item.lead.name_key
    begins = bool(name) and (key.startswith(name) or f" {name}" in key or _is_part(name, key))
    return begins or (bool(number) and number in fold_number(item.lead.number))


def _is_part(name: str, key: str) -> bool:
    """Tell whether a name that is written without spaces holds these letters."""
    return not name.isascii() and name in key
