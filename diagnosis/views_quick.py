"""The quick read of one film without a patient, and the page of what the networks cannot do."""

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from accounts.requests import is_partial, user_of
from diagnosis import limits as figures
from diagnosis import quick, quick_words
from diagnosis.forms import QuickForm
from xraydx.errors import UserError, message_for


@require_http_methods(["GET", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """Take a film for a quick read."""
    context: dict[str, object] = {"max_bytes": settings.UPLOAD_MAX_BYTES}
    context["child_ages"] = quick_words.child_ages()
    form = QuickForm(request.POST or None, request.FILES or None)
    status = 200
    if request.method == "POST":
        try:
            if not form.is_valid():
                raise UserError("file_missing", field="file")
            asked = quick.ask(by=user_of(request), **form.cleaned_data)
            return redirect("diagnosis:quick_answer", quick_id=asked.id)
        except UserError as error:
            context["what"], context["do"] = message_for(error.code).fill(error.params)
            status = error.status
    return render(request, "diagnosis/quick.html", context, status=status)


@require_GET
def answer(request: HttpRequest, quick_id: UUID) -> HttpResponse:
    """The answer, or how it stands; asks for itself until it is there."""
    found = quick.quick_for(user_of(request), quick_id)
    partial = is_partial(request)
    template = "diagnosis/_quick_answer.html" if partial else "diagnosis/quick_answer.html"
    return render(request, template, quick_words.context_of(found))


@require_GET
def picture(request: HttpRequest, quick_id: UUID, name: str) -> HttpResponse:
    """A picture of a quick read."""
    png = quick.view_picture(quick_id=quick_id, name=name, by=user_of(request))
    return HttpResponse(png, content_type="image/png")


@require_GET
def limits(request: HttpRequest) -> HttpResponse:
    """What the networks cannot do, with the figures of the present release."""
    return render(request, "diagnosis/limits.html", {"limits": figures.present_limits()})


@require_GET
def keys_and_help(request: HttpRequest) -> HttpResponse:
    """The keys of all pages, how to switch them off, and whom to ask."""
    return render(request, "diagnosis/help.html")
