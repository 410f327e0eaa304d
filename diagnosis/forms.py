"""What a person fills in about films: the upload, the move, the signature."""

from django import forms
from django.utils.translation import gettext_lazy as _

from diagnosis.models import Reading
from diagnosis.services import KEY_LENGTH, REASON_LENGTH


class UploadForm(forms.Form):
    """One film, and the answers that go with it."""

    # The services say what is wrong with a file, an empty one included.
    file = forms.FileField(label=_("Film"), allow_empty_file=True)
    confirm_patient = forms.BooleanField(label=_("It belongs to this patient"), required=False)
    idempotency_key = forms.CharField(max_length=KEY_LENGTH, required=False)


class MoveForm(forms.Form):
    """Where a wrongly filed film belongs, and why."""

    visit = forms.UUIDField(label=_("Visit"))
    reason = forms.CharField(
        label=_("Reason"),
        max_length=REASON_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("Both histories and the audit record show it."),
    )


class FindPatientForm(forms.Form):
    """Whom to look for: a name's beginning or a number; sent by POST, never in an address."""

    text = forms.CharField(
        label=_("Name or MRN"),
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "off", "type": "search"}),
    )


class SignForm(forms.Form):
    """A person's verdict on what the networks found."""

    verdict = forms.ChoiceField(label=_("Verdict"), choices=Reading.Verdict.choices)
    note = forms.CharField(label=_("Note"), max_length=4000, required=False)
