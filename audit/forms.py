"""What narrows the list of entries."""

from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.core.validators import RegexValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.models import Via
from audit.selectors import Criteria, account_id
from xraydx.errors import UserError, message_for

check_action = RegexValidator(
    r"\A[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?\Z", _("A code such as patient.view, or patient.")
)


class FilterForm(forms.Form):
    """Sent by POST and kept in the session: a user name is a person's."""

    actor = forms.CharField(
        label=_("User name"),
        required=False,
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
    action = forms.CharField(
        label=_("Action"),
        required=False,
        max_length=64,
        validators=[check_action],
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "none",
                "placeholder": "patient.view",
                "list": "audit-actions",
            }
        ),
    )
    patient = forms.UUIDField(label=_("Patient's id"), required=False)
    via = forms.ChoiceField(
        label=_("Through"), required=False, choices=[("", _("All")), *Via.choices]
    )
    since = forms.DateField(
        label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label=_("To, that day included"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
    )

    def clean(self) -> dict[str, Any]:
        """Find the account of the user name."""
        data = super().clean() or {}
        if data.get("actor"):
            try:
                data["actor_id"] = account_id(data["actor"])
            except UserError as error:
                what, do = message_for(error.code).fill(error.params)
                self.add_error("actor", f"{what} {do}")
        return data

    def criteria(self) -> Criteria:
        """Return what a valid form asks for."""
        data = self.cleaned_data
        actor_id: UUID | None = data.get("actor_id")
        return Criteria(
            actor_id=actor_id,
            patient_id=data["patient"],
            action=data["action"],
            via=data["via"],
            since=_midnight(data["since"]),
            until=_midnight(data["until"] and data["until"] + timedelta(days=1)),
        )


def _midnight(day: Any) -> datetime | None:
    """Return the moment at which the day begins here."""
    if not day:
        return None
    return timezone.make_aware(datetime.combine(day, time.min))
