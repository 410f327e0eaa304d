"""A patient's pages: register, look, edit, delete, open with a reason."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import Capability, require, require_capability
from accounts.requests import user_of
from accounts.views.errors import show_error
from patients import looking, selectors, services
from patients.describe import describe_changes, differences
from patients.forms import EditPatientForm, PatientForm, ReasonForm, RegisterForm, VisitForm
from patients.models import Patient
from patients.views.common import locked_page, offer_reason
from xraydx.errors import Conflict, NotFound, UserError


@never_cache
@require_http_methods(["GET", "POST"])
@require_capability(Capability.register_patient)
def register(request: HttpRequest) -> HttpResponse:
    """Register a patient and, unless told otherwise, open the visit."""
    data = request.POST or None
    patient, visit = RegisterForm(data), VisitForm(data)
    if data is None or not patient.is_valid():
        return _register_page(request, patient, visit, status=200 if data is None else 422)
    if "only" in data:
        return _register_only(request, patient, visit)
    if not visit.is_valid():
        return _register_page(request, patient, visit, status=422)
    try:
        opened = services.register_and_admit(
            by=user_of(request), patient=patient.cleaned_data, visit=visit.cleaned_data
        )
    except Conflict as error:
        return _register_page(request, patient, visit, status=show_error(patient, error))
    return redirect("patients:visit", visit_id=opened.pk)


def _register_only(request: HttpRequest, patient: RegisterForm, visit: VisitForm) -> HttpResponse:
    """Register a patient without a visit."""
    try:
        registered = services.register_patient(by=user_of(request), **patient.cleaned_data)
    except Conflict as error:
        unbound = VisitForm(initial=dict(visit.data.items()))
        return _register_page(request, patient, unbound, status=show_error(patient, error))
    return redirect("patients:detail", patient_id=registered.pk)


def _register_page(
    request: HttpRequest, patient: RegisterForm, visit: VisitForm, *, status: int
) -> HttpResponse:
    """Render both forms as one, with who has the MRN already where that is the trouble."""
    context = {
        "form": patient,
        "visit_form": visit,
        "areas": selectors.open_areas(),
        "namesake": _holder_of_mrn(request, patient, status),
    }
    return render(request, "patients/register.html", context, status=status)


def _holder_of_mrn(request: HttpRequest, form: PatientForm, status: int) -> Any:
    """Return who has the MRN already, as far as this user may know; None without a conflict."""
    if status != Conflict.status:
        return None
    return selectors.holder_of_mrn(user_of(request), form.data.get("mrn", ""))


@never_cache
@require_safe
@offer_reason
def detail(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Show a patient: visits, films, data."""
    user = user_of(request)
    patient = looking.look_at_patient(user, patient_id)
    visits = selectors.visits_of(patient)
    context = {
        "patient": patient,
        "visits": visits,
        "open_visits": [visit for visit in visits if visit.is_open],
        "opened": selectors.reason_in_force(user, patient),
    }
    return render(request, "patients/detail.html", context)


@never_cache
@require_safe
@offer_reason
def history(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Show what was changed in a patient's data."""
    patient, changes = looking.look_at_history(user_of(request), patient_id)
    context = {"patient": patient, "changes": describe_changes(changes)}
    return render(request, "patients/history.html", context)


@never_cache
@require_http_methods(["GET", "POST"])
@offer_reason
def edit(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Change a patient's data."""
    user = user_of(request)
    patient = selectors.patient_for(user, patient_id)
    require(user, Capability.edit_patient, target=patient, patient_id=patient.pk)
    if request.method != "POST":
        looking.note_form(user, patient)
        return _edit_page(request, patient, EditPatientForm.of(patient), status=200)
    form = EditPatientForm(request.POST)
    if not form.is_valid():
        return _edit_page(request, patient, form, status=422)
    changes = dict(form.cleaned_data)
    version = changes.pop("version")
    try:
        services.edit_patient(patient=patient, by=user, changes=changes, version=version)
    except Conflict as error:
        return _edit_page(request, patient, form, status=show_error(form, error), error=error)
    messages.success(request, _("Saved."))
    return redirect("patients:detail", patient_id=patient.pk)


def _edit_page(
    request: HttpRequest,
    patient: Patient,
    form: EditPatientForm,
    *,
    status: int,
    error: UserError | None = None,
) -> HttpResponse:
    """Render the form; after a simultaneous edit with what the other one saved."""
    context: dict[str, Any] = {"patient": patient, "form": form}
    if error is not None and error.code == "edited_meanwhile":
        # What is on the screen from now on is based on their version.
        stored = selectors.patient_for(user_of(request), patient.pk)
        context["theirs"] = differences(stored, form.cleaned_data)
        form.rebase(stored.version)
    elif error is not None:
        context["namesake"] = _holder_of_mrn(request, form, status)
    return render(request, "patients/edit.html", context, status=status)


@never_cache
@require_http_methods(["GET", "POST"])
@offer_reason
def delete(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Ask whether a patient is to be deleted, then delete."""
    user = user_of(request)
    patient = selectors.patient_for(user, patient_id)
    require(user, Capability.delete_patient, target=patient, patient_id=patient.pk)
    if request.method == "POST":
        services.delete_patient(patient=patient, by=user)
        messages.success(request, _("The patient is deleted. An administrator can restore them."))
        return redirect("patients:list")
    looking.note_form(user, patient)
    context = {"patient": patient, "visits": selectors.visits_of(patient)}
    return render(request, "patients/delete.html", context)


@never_cache
@require_POST
@require_capability(Capability.break_glass)
def unlock(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Open a record outside the rule with a typed reason."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return locked_page(request, patient_id, form, NotFound("patient_not_found"), status=422)
    services.break_glass(
        user=user_of(request), patient_id=patient_id, reason=form.cleaned_data["reason"]
    )
    return redirect("patients:detail", patient_id=patient_id)
