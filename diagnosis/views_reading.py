"""Parts of the reading view: full depth, prior film, first look, signature, report, who else."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from accounts.permissions import require_capability
from accounts.requests import is_partial, user_of
from accounts.sessions import not_activity
from diagnosis import (
    comparison,
    display,
    presence,
    reading_view,
    readings,
    report,
    report_pdf,
    selectors,
    services,
)
from diagnosis.forms import FirstLookForm, SignForm
from diagnosis.models import Analysis
from xraydx.errors import NotFound, UserError, message_for


@require_GET
def depth(request: HttpRequest, analysis_id: UUID) -> HttpResponse:
    """The film at full depth for windowing."""
    packed = services.view_depth(analysis_id=analysis_id, by=user_of(request))
    response = HttpResponse(packed, content_type="application/octet-stream")
    response["Content-Encoding"] = "gzip"
    return response


@require_GET
def prior(request: HttpRequest, film_id: UUID, prior_id: UUID) -> HttpResponse:
    """An earlier film of the patient, to be shown with this one."""
    user = user_of(request)
    film, earlier = services.view_prior(film_id=film_id, prior_id=prior_id, by=user)
    analysis = display.chosen_analysis(film, request.GET.get("analysis"))
    # An older film is history; a newer one that nobody here has looked at yet is not.
    unseen = [film] if earlier.uploaded_at < film.uploaded_at else [film, earlier]
    if reading_view.hidden_of(user, unseen):
        raise NotFound("look_first")
    context = {"film": film, "comparison": comparison.compare(analysis, earlier)}
    return render(request, "diagnosis/_prior.html", context)


@require_POST
@not_activity
def others(request: HttpRequest, film_id: UUID) -> HttpResponse:
    """Say that this person has the film open, and hear who else has."""
    film = selectors.film_for(user_of(request), film_id)
    context: dict[str, Any] = {"film": film, "say_s": presence.SAY_S}
    context["others"] = presence.enter(film=film, user=user_of(request))
    newest = display.chosen_analysis(film, request.POST.get("analysis"))
    context["last"] = next(iter(newest.readings.all()), None)
    context["seen"] = request.POST.get("version", "")
    return render(request, "diagnosis/_others.html", context)


@require_POST
@require_capability("sign_reading")
def first_look(request: HttpRequest, analysis_id: UUID) -> HttpResponse:
    """Keep the first look, then show what the networks found."""
    user = user_of(request)
    analysis = selectors.analysis_for(user, analysis_id)
    form = FirstLookForm(request.POST)
    if not form.is_valid():
        raise UserError("impression_unknown", field="impression")
    readings.record_first_look(analysis=analysis, by=user, **form.cleaned_data)
    if not is_partial(request):
        return redirect("diagnosis:film", film_id=analysis.film_id)
    analysis = services.view_analysis(analysis_id=analysis_id, by=user)
    context = reading_view.live_context(analysis, user)
    return render(request, "diagnosis/_live.html", context)


@require_POST
@require_capability("sign_reading")
def first_look_choice(request: HttpRequest, film_id: UUID) -> HttpResponse:
    """Whether the networks' reading waits for this person's first look."""
    film = selectors.film_for(user_of(request), film_id)
    chosen = {"on": True, "off": False}.get(request.POST.get("hide", ""))
    readings.choose_first_look(by=user_of(request), hide=chosen)
    return redirect("diagnosis:film", film_id=film.id)


@require_POST
def sign(request: HttpRequest, analysis_id: UUID) -> HttpResponse:
    """Sign what a person read, beside what the networks found."""
    analysis = selectors.analysis_for(user_of(request), analysis_id)
    form = SignForm(request.POST)
    try:
        _sign(user_of(request), analysis, form)
    except UserError as error:
        if not is_partial(request):
            raise
        what, do = message_for(error.code).fill(error.params)
        refused = {"sign_error": {"what": what, "do": do}, "form": form}
        return _own(request, analysis_id, refused, status=error.status)
    if not is_partial(request):
        return redirect("diagnosis:film", film_id=analysis.film_id)
    return _own(request, analysis_id, {"just_signed": True})


def _sign(user: User, analysis: Analysis, form: SignForm) -> None:
    if not form.is_valid():
        raise UserError(_code_of(form), field=next(iter(form.errors), None))
    services.sign_reading(analysis=analysis, by=user, **form.cleaned_data)


def _code_of(form: SignForm) -> str:
    codes = {"added": "added_invalid", "report": "report_too_long", "note": "report_too_long"}
    return next((codes[name] for name in form.errors if name in codes), "verdict_unknown")


def _own(
    request: HttpRequest, analysis_id: UUID, more: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    # Asked for anew: the rows read before the signature do not hold it.
    analysis = selectors.analysis_for(user_of(request), analysis_id)
    context = reading_view.reading_context(analysis.film, analysis, user_of(request))
    return render(request, "diagnosis/_own_reading.html", context | more, status=status)


@require_GET
def report_page(request: HttpRequest, analysis_id: UUID) -> HttpResponse:
    """The report, to be read or printed."""
    analysis = services.view_report(analysis_id=analysis_id, by=user_of(request), form="page")
    found = report.report_of(analysis)
    context = {
        "report": found,
        "marks": [mark.on_grid() for mark in found.marks],
        "analysis": analysis,
        "film": analysis.film,
        "patient": analysis.film.patient,
        "state": report_pdf.state_of(found),
        "facts": report_pdf.facts_of(found),
        "added_words": report.added_words(found),
        "picture_url": display.picture_urls(analysis).get("film"),
    }
    return render(request, "diagnosis/report.html", context)


@require_GET
def report_file(request: HttpRequest, analysis_id: UUID) -> HttpResponse:
    """The report as PDF; its file name names nobody."""
    analysis = services.view_report(analysis_id=analysis_id, by=user_of(request), form="pdf")
    picture = services.picture_of(analysis)
    pdf = report_pdf.draw_report(report.report_of(analysis), picture=picture)
    response = HttpResponse(pdf, content_type="application/pdf")
    response["Content-Disposition"] = "inline; filename=report.pdf"
    return response
