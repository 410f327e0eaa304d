"""The pages of visits."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import Capability, require
from accounts.requests import user_of
from accounts.views.errors import show_error
from patients import looking, selectors, services
from patients.describe import differences
from patients.forms import EditVisitForm, SecondVisitForm, VisitForm
from patients.models import Patient, Visit
from patients.views.common import offer_reason
from xraydx.errors import Conflict


@never_cache
@require_http_methods(["GET", "POST"])
@offer_reason
def visit_open(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Open a visit."""
    user = user_of(request)
    patient = selectors.patient_for(user, patient_id)
    require(user, Capability.register_patient, target=patient, patient_id=patient.pk)
    form, second = VisitForm(request.POST or None), SecondVisitForm(request.POST or None)
    if request.method != "POST":
        looking.note_form(user, patient)
        return _visit_form_page(request, patient, form)
    if not (form.is_valid() and second.is_valid()):
        return _visit_form_page(request, patient, form, status=422)
    try:
        allowed = second.cleaned_data["second"]
        visit = services.open_visit(
            patient=patient, by=user, allow_second=allowed, **form.cleaned_data
        )
    except Conflict as error:
        status = show_error(form, error)
        return _visit_form_page(request, patient, form, status=status, second=second)
    return redirect("patients:visit", visit_id=visit.pk)


def _visit_form_page(
    request: HttpRequest, patient: Patient, form: VisitForm, *, status: int = 200, **more: Any
) -> HttpResponse:
    """Render the form of a new visit, with the open ones where there are any."""
    context = {
        "patient": patient,
        "form": form,
        "areas": selectors.open_areas(),
        "open_visits": selectors.open_visits_of(patient),
        **more,
    }
    return render(request, "patients/visit_open.html", context, status=status)


@never_cache
@require_safe
def visit(request: HttpRequest, visit_id: UUID) -> HttpResponse:
    """Show a visit and take films for it."""
    found = looking.look_at_visit(user_of(request), visit_id)
    return render(request, "patients/visit.html", {"visit": found, "patient": found.patient})


@never_cache
@require_http_methods(["GET", "POST"])
def visit_edit(request: HttpRequest, visit_id: UUID) -> HttpResponse:
    """Change a visit."""
    user = user_of(request)
    found = selectors.visit_for(user, visit_id)
    require(user, Capability.edit_patient, target=found, patient_id=found.patient_id)
    if request.method != "POST":
        looking.note_form(user, found.patient)
        return _visit_edit_page(request, found, EditVisitForm.of(found))
    form = EditVisitForm(request.POST)
    if not form.is_valid():
        return _visit_edit_page(request, found, form, status=422)
    changes = dict(form.cleaned_data)
    version = changes.pop("version")
    try:
        services.edit_visit(visit=found, by=user, changes=changes, version=version)
    except Conflict as error:
        show_error(form, error)
        # What is on the screen from now on is based on their version.
        found = selectors.visit_for(user, visit_id)
        theirs = differences(found, form.cleaned_data)
        form.rebase(found.version)
        return _visit_edit_page(request, found, form, status=error.status, theirs=theirs)
    messages.success(request, _("Saved."))
    return redirect("patients:visit", visit_id=found.pk)


def _visit_edit_page(
    request: HttpRequest, found: Visit, form: EditVisitForm, *, status: int = 200, **more: Any
) -> HttpResponse:
    """Render the form; after a simultaneous edit with what the other one saved."""
    context = {
        "visit": found,
        "patient": found.patient,
        "form": form,
        "areas": selectors.open_areas(),
        **more,
    }
    return render(request, "patients/visit_edit.html", context, status=status)


@require_POST
def visit_close(request: HttpRequest, visit_id: UUID) -> HttpResponse:
    """End a visit."""
    user = user_of(request)
    services.close_visit(visit=selectors.visit_for(user, visit_id), by=user)
    messages.success(request, _("The visit is closed."))
    return redirect("patients:visit", visit_id=visit_id)


@require_POST
def visit_reopen(request: HttpRequest, visit_id: UUID) -> HttpResponse:
    """Open a closed visit again."""
    user = user_of(request)
    services.reopen_visit(visit=selectors.visit_for(user, visit_id), by=user)
    messages.success(request, _("The visit is open again."))
    return redirect("patients:visit", visit_id=visit_id)
