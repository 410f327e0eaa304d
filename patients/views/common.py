"""What the views of this application share."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from accounts.permissions import Capability, may
from accounts.requests import user_of
from patients import selectors
from patients.forms import ReasonForm
from xraydx.errors import NotFound, message_for

P = ParamSpec("P")
PatientView = Callable[Concatenate[HttpRequest, UUID, P], HttpResponse]


def offer_reason(view: PatientView[P]) -> PatientView[P]:
    """Where the patient is not to be found, offer to open the record with a reason.

    The same page for a hidden patient and for none, so that it tells nothing.
    """

    @wraps(view)
    def offering(request: HttpRequest, patient_id: UUID, *args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return view(request, patient_id, *args, **kwargs)
        except NotFound as error:
            kept = selectors.merged_into(user_of(request), patient_id)
            if kept is not None:
                return redirect("patients:detail", patient_id=kept.pk)
            if not may(request.user, Capability.break_glass):
                raise
            return locked_page(request, patient_id, ReasonForm(), error, status=404)

    return offering


def locked_page(
    request: HttpRequest, patient_id: UUID, form: ReasonForm, error: NotFound, *, status: int
) -> HttpResponse:
    """Show what was not found and ask for a reason to open it."""
    what, do = message_for(error.code).fill(error.params)
    context = {"what": what, "do": do, "form": form, "patient_id": patient_id}
    return render(request, "patients/locked.html", context, status=status)
