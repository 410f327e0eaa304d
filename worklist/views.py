"""The worklist's page, its live part, and taking and releasing a study."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.permissions import Capability, require_capability
from accounts.requests import is_partial, user_of
from accounts.sessions import not_activity
from audit.services import record
from worklist import display, selectors, services
from worklist.changes import compare, parse_known, raised_among
from worklist.display import Filter, Row
from worklist.forms import MOST_ROWS, ROWS, FilterForm, LengthForm, TakeForm
from worklist.selectors import Item, Queue
from xraydx.errors import Conflict, UserError, message_for

KEPT = "worklist.filter"


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Lead to the worklist."""
    return redirect("worklist:list")


@never_cache
@require_safe
@require_capability(Capability.view_patient)
def worklist(request: HttpRequest) -> HttpResponse:
    """Show the studies that wait for a reader."""
    length = LengthForm(request.GET)
    count = (length.cleaned_data["rows"] if length.is_valid() else None) or ROWS
    user, wanted = user_of(request), _kept(request)
    queue = selectors.queue_for(user)
    found = display.narrowed(queue.items, wanted, user)
    rows = _rows(queue, found[:count], user)
    record(actor=user, action="worklist.view", detail={"studies": [row.id for row in rows]})
    areas = {item.lead.area for item in queue.items} | {wanted.area}
    context = {
        "rows": rows,
        "filter": wanted,
        "counts": display.counts_of(queue.items, wanted, user),
        "areas": sorted(areas - {""}),
        "total": len(found),
        "count": count,
        "unlisted": queue.unlisted,
        "raised_below": raised_among(found[count:]),
        "next_count": min(count + ROWS, MOST_ROWS) if len(found) > count < MOST_ROWS else None,
    }
    return render(request, "worklist/list.html", context)


@require_POST
@require_capability(Capability.view_patient)
def narrow(request: HttpRequest) -> HttpResponse:
    """Keep what to show in the session."""
    form = FilterForm(request.POST)
    if not form.is_valid():
        raise UserError("worklist_filter_invalid")
    wanted = Filter() if "clear" in request.POST else form.changed(_kept(request))
    request.session[KEPT] = {"show": wanted.show, "area": wanted.area, "text": wanted.text}
    return redirect("worklist:list")


@not_activity
@require_POST
@require_capability(Capability.view_patient)
def changes(request: HttpRequest) -> HttpResponse:
    """Send the values that changed on a page that is open, and announce what is new."""
    known = parse_known(request.POST.getlist("known"))
    user, wanted = user_of(request), _kept(request)
    queue = selectors.queue_for(user)
    every, length = display.narrowed(queue.items, wanted, user), max(len(known), ROWS)
    ids = {one.id for one in known}
    there = [item for item in queue.items if item.waiting.study_id in ids]
    below = [item for item in every[length:] if item.waiting.study_id not in ids]
    farther = len({*raised_among(below)} - {*request.POST.get("raised", "").split()})
    shown = _rows(queue, every[:length], user)
    context = {
        "changes": compare(known, _rows(queue, there, user), shown, farther),
        "all_rows": min(ROWS * -(-len(every) // ROWS), MOST_ROWS),
        "counts": display.counts_of(queue.items, wanted, user),
    }
    return render(request, "worklist/_changes.html", context)


@require_POST
@require_capability(Capability.sign_reading)
def take(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Take a study, or take it over from the one who is named."""
    form = TakeForm(request.POST)
    over = form.cleaned_data["over"] if form.is_valid() else None
    return _moved(
        request,
        study_id,
        lambda: services.take_study(study_id=study_id, by=user_of(request), over=over),
    )


@require_POST
@require_capability(Capability.sign_reading)
def release(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Let a study go."""
    return _moved(
        request, study_id, lambda: services.release_study(study_id=study_id, by=user_of(request))
    )


@never_cache
@not_activity
@require_safe
@require_capability(Capability.view_patient)
def hold(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Show who has a study, for the reading view."""
    study = selectors.study_for(user_of(request), study_id)
    return render(request, "worklist/_hold.html", _hold_context(study.pk))


def _moved(request: HttpRequest, study_id: UUID, move: Callable[[], None]) -> HttpResponse:
    """Carry out a take or a release, and answer the page that asked."""
    said, status = ("", ""), 200
    try:
        move()
    except Conflict as error:
        said, status = message_for(error.code).fill(error.params), error.status
    if not is_partial(request):
        if said[0]:
            messages.warning(request, " ".join(said))
        return redirect("worklist:list")
    context: dict[str, Any] = {"what": said[0], "do": said[1], **_hold_context(study_id)}
    if "bar" in request.GET:
        return render(request, "worklist/_hold.html", context, status=status)
    user = user_of(request)
    queue = selectors.queue_for(user)
    own = [item for item in queue.items if item.waiting.study_id == study_id]
    context["row"] = next(iter(_rows(queue, own, user)), None)
    context["counts"] = display.counts_of(queue.items, _kept(request), user)
    return render(request, "worklist/_moved.html", context, status=status)


def _hold_context(study_id: UUID) -> dict[str, Any]:
    return {"study_id": study_id, "hold": selectors.holder_of(study_id)}


def _rows(queue: Queue, items: Sequence[Item], user: User) -> list[Row]:
    return display.rows_of(items, queue, selectors.people_in(items), user)


def _kept(request: HttpRequest) -> Filter:
    return Filter(**request.session.get(KEPT, {}))
