"""Pages for administrators: deleted films, brought back or erased for good."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import Capability, require_capability
from accounts.requests import user_of
from patients.forms import EraseForm
from patients.paging import page_context
from policy.selectors import present

from . import removal, retention
from .forms import RetentionForm


@never_cache
@require_safe
@require_capability(Capability.restore_film)
def deleted(request: HttpRequest) -> HttpResponse:
    """List deleted films."""
    page = removal.look_through_deleted(user_of(request), request.GET.get("cursor", ""))
    context = page_context(page, "diagnosis:deleted_films")
    return render(request, "diagnosis/deleted_films.html", context)


@require_POST
@require_capability(Capability.restore_film)
def restore(request: HttpRequest, film_id: UUID) -> HttpResponse:
    """Bring a deleted film back."""
    film = removal.view_deleted(film_id=film_id, by=user_of(request))
    removal.restore_film(film=film, by=user_of(request))
    messages.success(request, _("The film is back in the patient's history."))
    return redirect("diagnosis:film", film_id=film_id)


@never_cache
@require_http_methods(["GET", "POST"])
@require_capability(Capability.erase_film)
def erase(request: HttpRequest, film_id: UUID) -> HttpResponse:
    """Ask whether a deleted film is to go for good, then erase."""
    film = removal.view_deleted(film_id=film_id, by=user_of(request))
    form = EraseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        removal.erase_film(film=film, by=user_of(request))
        messages.success(request, _("The film is erased."))
        return redirect("diagnosis:deleted_films")
    status = 422 if request.method == "POST" else 200
    return render(request, "diagnosis/film_erase.html", {"film": film, "form": form}, status=status)


@never_cache
@require_safe
@require_capability(Capability.erase_patient)
def keeping(request: HttpRequest) -> HttpResponse:
    """Show the site's rule on old records, and what it or another one would take out now."""
    policy = present()
    form = RetentionForm(request.GET if "years" in request.GET else None)
    form.fields["years"].initial = policy.keep_years
    years = form.cleaned_data["years"] if form.is_valid() else policy.keep_years
    shown = form.is_valid() or not form.is_bound
    found = retention.preview(user_of(request), years) if years and shown else None
    context: dict[str, object] = {"form": form, "preview": found}
    context |= {"rule": policy.keep_years, "erased_after": policy.keep_deleted_days}
    return render(request, "diagnosis/retention.html", context, status=200 if shown else 422)
