"""Pages for administrators: deleted patients, and records opened with a reason."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import Capability, require_capability
from accounts.requests import user_of
from patients import looking, selectors, services
from patients.forms import EraseForm
from patients.paging import page_context


@never_cache
@require_safe
@require_capability(Capability.restore_patient)
def deleted(request: HttpRequest) -> HttpResponse:
    """List deleted patients."""
    page = looking.look_through_deleted(user_of(request), request.GET.get("cursor", ""))
    return render(request, "patients/deleted.html", page_context(page, "patients:deleted"))


@never_cache
@require_safe
@require_capability(Capability.list_break_glass)
def reasons(request: HttpRequest) -> HttpResponse:
    """List records that were opened with a reason."""
    page = looking.look_through_reasons(user_of(request), request.GET.get("cursor", ""))
    return render(request, "patients/reasons.html", page_context(page, "patients:reasons"))


@require_POST
@require_capability(Capability.restore_patient)
def restore(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Bring a deleted patient back."""
    user = user_of(request)
    patient = selectors.deleted_patient_for(user, patient_id)
    services.restore_patient(patient=patient, by=user)
    messages.success(request, _("The patient is back in the list."))
    return redirect("patients:detail", patient_id=patient_id)


@never_cache
@require_http_methods(["GET", "POST"])
@require_capability(Capability.erase_patient)
def erase(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Ask whether a deleted patient is to go for good, then erase."""
    user = user_of(request)
    patient = selectors.deleted_patient_for(user, patient_id)
    form = EraseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        services.erase_patient(patient=patient, by=user)
        messages.success(request, _("The record is erased."))
        return redirect("patients:deleted")
    looking.note_form(user, patient)
    status = 422 if request.method == "POST" else 200
    return render(request, "patients/erase.html", {"patient": patient, "form": form}, status=status)
