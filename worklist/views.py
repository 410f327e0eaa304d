"""The worklist's page, its live part, and taking and releasing a study."""

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.permissions import Capability, require_capability
from accounts.sessions import not_activity
from audit.services import record
from worklist import display, selectors, services
from worklist.changes import compare, parse_known
from worklist.display import Filter, Row
from worklist.forms import MOST_ROWS, ROWS, FilterForm, LengthForm, TakeForm
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
    everything, wanted = _rows(request), _kept(request)
    found = display.narrowed(everything, wanted)
    shown = found[:count]
    record(
        actor=_user(request), action="worklist.view", detail={"studies": [row.id for row in shown]}
    )
    context = {
        "rows": shown,
        "filter": wanted,
        "counts": display.counts_of(everything, wanted),
        "areas": sorted({row.area for row in everything if row.area} | {wanted.area} - {""}),
        "total": len(found),
        "count": count,
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
    everything, wanted = _rows(request), _kept(request)
    shown = display.narrowed(everything, wanted)[: max(len(known), ROWS)]
    context = {
        "changes": compare(known, everything, shown),
        "counts": display.counts_of(everything, wanted),
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
        lambda: services.take_study(study_id=study_id, by=_user(request), over=over),
    )


@require_POST
@require_capability(Capability.sign_reading)
def release(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Let a study go."""
    return _moved(
        request, study_id, lambda: services.release_study(study_id=study_id, by=_user(request))
    )


@never_cache
@not_activity
@require_safe
@require_capability(Capability.view_patient)
def hold(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Show who has a study, for the reading view."""
    study = selectors.study_for(_user(request), study_id)
    return render(request, "worklist/_hold.html", _hold_context(study.pk))


def _moved(request: HttpRequest, study_id: UUID, move: Callable[[], None]) -> HttpResponse:
    """Carry out a take or a release, and answer the page that asked."""
    said, status = ("", ""), 200
    try:
        move()
    except Conflict as error:
        said, status = message_for(error.code).fill(error.params), error.status
    if request.headers.get("HX-Request") != "true":
        if said[0]:
            messages.warning(request, " ".join(said))
        return redirect("worklist:list")
    context: dict[str, Any] = {"what": said[0], "do": said[1], **_hold_context(study_id)}
    if "bar" in request.GET:
        return render(request, "worklist/_hold.html", context, status=status)
    everything = _rows(request)
    context["row"] = next((row for row in everything if row.id == study_id), None)
    context["counts"] = display.counts_of(everything, _kept(request))
    return render(request, "worklist/_moved.html", context, status=status)


def _hold_context(study_id: UUID) -> dict[str, Any]:
    return {"study_id": study_id, "hold": selectors.holder_of(study_id)}


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)


def _rows(request: HttpRequest) -> list[Row]:
    user = _user(request)
    return display.rows_of(selectors.queue_for(user), user)


def _kept(request: HttpRequest) -> Filter:
    return Filter(**request.session.get(KEPT, {}))
