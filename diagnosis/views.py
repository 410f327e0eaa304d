"""Pages of films: sending one, reading it, signing, moving, deleting."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.permissions import require_capability
from accounts.requests import is_partial, user_of
from diagnosis import display, live, reading_view, selectors, services
from diagnosis.forms import FindPatientForm, MoveForm, UploadForm
from diagnosis.models import Film
from patients.criteria import Criteria
from patients.looking import look_at_visit, look_through
from patients.models import Patient, Visit
from patients.selectors import visit_for, visits_of
from xraydx.errors import UserError, message_for

# Doubts about whose film it is: a question with a button, not a refusal.
CONFIRMABLE = frozenset({"patient_id_differs", "bytes_of_another_patient"})
FOUND_AT_MOST = 8


@require_http_methods(["GET", "POST"])
@require_capability("upload_film")
def upload(request: HttpRequest, visit_id: UUID) -> HttpResponse:
    """The page that takes films, and the address that they are sent to."""
    if request.method == "POST":
        return _take_film(request, visit_for(user_of(request), visit_id))
    visit = look_at_visit(user_of(request), visit_id)
    return render(request, "diagnosis/upload.html", _upload_context(visit))


def _take_film(request: HttpRequest, visit: Visit) -> HttpResponse:
    form = UploadForm(request.POST, request.FILES)
    try:
        if not form.is_valid():
            raise UserError("file_missing", field="file")
        added = services.add_film(
            visit=visit,
            file=form.cleaned_data["file"],
            by=user_of(request),
            confirm_patient=form.cleaned_data["confirm_patient"],
            idempotency_key=form.cleaned_data["idempotency_key"] or None,
        )
    except UserError as error:
        what, do = message_for(error.code).fill(error.params)
        context = {"what": what, "do": do, "question": error.code in CONFIRMABLE}
        if is_partial(request):
            return render(request, "diagnosis/_upload_stopped.html", context, status=error.status)
        context |= _upload_context(visit)
        return render(request, "diagnosis/upload.html", context, status=error.status)
    if is_partial(request):
        context = {"film": added.film, **reading_view.row_context(added.analysis, user_of(request))}
        context["poll_ms"] = live.FIRST_MS
        return render(request, "diagnosis/_upload_row.html", context)
    return redirect("diagnosis:film", film_id=added.film.id)


def _upload_context(visit: Visit) -> dict[str, object]:
    return {"visit": visit, "patient": visit.patient, "max_bytes": settings.UPLOAD_MAX_BYTES}


@require_GET
def film(request: HttpRequest, film_id: UUID) -> HttpResponse:
    """The reading view."""
    film = services.view_film(film_id=film_id, by=user_of(request))
    analysis = display.chosen_analysis(film, request.GET.get("analysis"))
    context = reading_view.page_context(film, analysis, user_of(request))
    context["poll_ms"] = live.FIRST_MS
    return render(request, "diagnosis/film.html", context)


@require_GET
def analysis_status(request: HttpRequest, analysis_id: UUID) -> HttpResponse:
    """The live part of the reading view, or of a row of sent films; comes with the result."""
    held = live.hold_until_final(user_of(request), analysis_id)
    analysis = services.view_analysis(analysis_id=analysis_id, by=user_of(request))
    more: dict[str, object] = {"poll_ms": live.FIRST_MS} if held else {}
    if request.GET.get("as") == "row":
        context = {"film": analysis.film, **reading_view.row_context(analysis, user_of(request))}
        return render(request, "diagnosis/_upload_row.html", context | more)
    context = reading_view.live_context(analysis, user_of(request))
    return render(request, "diagnosis/_live.html", context | more)


@require_GET
def image(request: HttpRequest, analysis_id: UUID, name: str) -> HttpResponse:
    """A stored picture of an analysis."""
    picture = services.view_image(analysis_id=analysis_id, name=name, by=user_of(request))
    return HttpResponse(picture, content_type="image/png")


@require_POST
def rerun(request: HttpRequest, film_id: UUID) -> HttpResponse:
    """Have the film read again by the present release."""
    film = selectors.film_for(user_of(request), film_id)
    services.request_analysis(film=film, by=user_of(request))
    return redirect("diagnosis:film", film_id=film.id)


@require_POST
def cancel(request: HttpRequest, analysis_id: UUID) -> HttpResponse:
    """Stop a reading that waits or runs."""
    analysis = selectors.analysis_for(user_of(request), analysis_id)
    services.cancel_analysis(analysis=analysis, by=user_of(request))
    return redirect("diagnosis:film", film_id=analysis.film_id)


@require_http_methods(["GET", "POST"])
@require_capability("delete_film")
def film_delete(request: HttpRequest, film_id: UUID) -> HttpResponse:
    """Ask, then take the film out of the history."""
    film = services.view_film(film_id=film_id, by=user_of(request))
    if request.method == "POST":
        services.delete_film(film=film, by=user_of(request))
        messages.success(request, _("The film was deleted."))
        return redirect("patients:detail", film.patient_id)
    return render(request, "diagnosis/film_delete.html", {"film": film, "patient": film.patient})


@require_http_methods(["GET", "POST"])
@require_capability("move_film")
def film_move(request: HttpRequest, film_id: UUID) -> HttpResponse:
    """Look for the visit where a film belongs, then file it there with a reason."""
    film = services.view_film(film_id=film_id, by=user_of(request))
    find = FindPatientForm(request.POST if "text" in request.POST else None)
    form = MoveForm(request.POST if "reason" in request.POST else None)
    if form.is_valid():
        visit = visit_for(user_of(request), form.cleaned_data["visit"])
        reason = form.cleaned_data["reason"]
        services.move_film(film=film, visit=visit, reason=reason, by=user_of(request))
        messages.success(request, _("The film was moved."))
        return redirect("diagnosis:film", film_id=film.id)
    context = {"film": film, "patient": film.patient, "find": find, "form": form}
    context["choices"] = _move_choices(request, film, find)
    return render(request, "diagnosis/film_move.html", context, status=422 if form.errors else 200)


def _move_choices(
    request: HttpRequest, film: Film, find: FindPatientForm
) -> list[tuple[Patient, list[Visit]]]:
    """The visits that a film can be moved to: of its patient, or of those who were looked for."""
    patients = [film.patient]
    if find.is_bound and find.is_valid():
        criteria = Criteria(text=find.cleaned_data["text"])
        patients = look_through(user_of(request), criteria, size=FOUND_AT_MOST).rows
    found = [(p, [v for v in visits_of(p) if v.id != film.visit_id]) for p in patients]
    return [(patient, visits) for patient, visits in found if visits]
