"""Pages for administrators: two records of one person, and the way back."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import Capability, require_capability
from accounts.requests import user_of
from accounts.views.errors import show_error
from patients import looking, merging, selectors
from patients.forms import LookForm, MergeForm
from patients.models import Patient
from patients.paging import page_context
from xraydx.errors import UserError


@never_cache
@require_http_methods(["GET", "POST"])
@require_capability(Capability.merge_patient)
def choose(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Offer records that may be the same person's; a search looks for others."""
    user = user_of(request)
    patient = looking.look_at_patient(user, patient_id)
    form = LookForm(request.POST or None)
    text = form.cleaned_data["text"] if form.is_valid() else ""
    found = selectors.likely_duplicates(user, patient, text=text)
    looking.note_candidates(user, patient, found)
    context = {"patient": patient, "form": form, "found": found, "searched": bool(text)}
    return render(request, "patients/merge_choose.html", context)


@never_cache
@require_http_methods(["GET", "POST"])
@require_capability(Capability.merge_patient)
def merge(request: HttpRequest, patient_id: UUID, other_id: UUID) -> HttpResponse:
    """Show both records beside each other, then merge them."""
    user = user_of(request)
    one, other = (selectors.patient_for(user, key) for key in (patient_id, other_id))
    form = MergeForm(request.POST or None)
    if request.method != "POST":
        return _merge_page(request, one, other, form)
    if not form.is_valid():
        return _merge_page(request, one, other, form, status=422)
    kept, gone = (one, other) if form.cleaned_data["keep"] == "this" else (other, one)
    try:
        merging.merge_patients(kept=kept, gone=gone, reason=form.cleaned_data["reason"], by=user)
    except UserError as error:
        return _merge_page(request, one, other, form, status=show_error(form, error))
    messages.success(request, _("The records are one now. The merge can be undone."))
    return redirect("patients:detail", patient_id=kept.pk)


def _merge_page(
    request: HttpRequest, one: Patient, other: Patient, form: MergeForm, *, status: int = 200
) -> HttpResponse:
    """Render both records."""
    for patient in (one, other):
        looking.note_form(user_of(request), patient)
    sides = [
        {"value": value, "patient": patient, "visits": selectors.visits_of(patient)}
        for value, patient in (("this", one), ("other", other))
    ]
    context = {"patient": one, "sides": sides, "form": form}
    return render(request, "patients/merge.html", context, status=status)


@never_cache
@require_safe
@require_capability(Capability.merge_patient)
def merges(request: HttpRequest) -> HttpResponse:
    """List merged records."""
    page = looking.look_through_merges(user_of(request), request.GET.get("cursor", ""))
    return render(request, "patients/merges.html", page_context(page, "patients:merges"))


@require_POST
@require_capability(Capability.merge_patient)
def unmerge(request: HttpRequest, merge_id: UUID) -> HttpResponse:
    """Part two records again."""
    user = user_of(request)
    back = merging.undo_merge(merge=selectors.merge_for(user, merge_id), by=user)
    messages.success(request, _("The merge is undone. This is the record that came back."))
    return redirect("patients:detail", patient_id=back.pk)
