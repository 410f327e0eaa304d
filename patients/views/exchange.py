"""Pages for administrators: patients from a file, and a patient's record as a file."""

from uuid import UUID

from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import Capability, require_capability
from accounts.requests import user_of
from accounts.views.errors import show_error
from patients import exporting, importing, selectors
from patients.forms import ImportForm
from xraydx.errors import UserError

PREVIEW = 20


@never_cache
@require_http_methods(["GET", "POST"])
@require_capability(Capability.import_patients)
def import_csv(request: HttpRequest) -> HttpResponse:
    """Take a CSV and lead to its preview."""
    form = ImportForm(request.POST or None, request.FILES or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            data = form.cleaned_data["file"].read(importing.MOST_BYTES + 1)
            made = importing.read_csv(data=data, by=user_of(request))
            return redirect("patients:import_preview", import_id=made.pk)
        except UserError as error:
            status = show_error(form, error)
    elif request.method == "POST":
        status = 422
    context = {"form": form, "columns": importing.COLUMNS, "most": importing.MOST_LINES}
    return render(request, "patients/import.html", context, status=status)


@never_cache
@require_safe
@require_capability(Capability.import_patients)
def import_preview(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Show what would be registered, and what is wrong with the other lines."""
    made = importing.import_for(user_of(request), import_id)
    lines = {error["number"] for error in made.errors}
    context = {"made": made, "first": made.lines[:PREVIEW], "refused": len(lines)}
    return render(request, "patients/import_preview.html", context)


@require_POST
@require_capability(Capability.import_patients)
def import_register(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Register the sound lines."""
    importing.register_lines(import_id=import_id, by=user_of(request))
    return redirect("patients:import_preview", import_id=import_id)


@require_POST
@require_capability(Capability.export_patient)
def export(request: HttpRequest, patient_id: UUID) -> FileResponse:
    """Send a patient's whole record."""
    user = user_of(request)
    patient = selectors.patient_for(user, patient_id)
    archive = exporting.export_patient(patient=patient, by=user)
    name = f"record-{timezone.now():%Y%m%d-%H%M%S}.zip"
    return FileResponse(archive, as_attachment=True, filename=name, content_type="application/zip")
