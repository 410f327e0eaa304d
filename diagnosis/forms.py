"""What a person fills in about films: the upload, the move, the signature."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from diagnosis.models import FirstLook, Reading
from diagnosis.readings import NOTE_LENGTH, REPORT_LENGTH, Added
from diagnosis.services import KEY_LENGTH, REASON_LENGTH
from ml.vocabulary import NAMES
from policy.rules import KEEP_LEAST_YEARS


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


class AddedField(forms.JSONField):
    """A list as JSON, as long and as deep as a page ever sends it."""

    MOST_LETTERS = 20_000

    def to_python(self, value: Any) -> Any:
        """Read the list; whatever no decoder takes is invalid."""
        if isinstance(value, str) and len(value) > self.MOST_LETTERS:
            raise forms.ValidationError("added", code="invalid")
        try:
            return super().to_python(value)
        except (RecursionError, ValueError) as error:  # nested too deep; a number too long
            raise forms.ValidationError("added", code="invalid") from error


class SignForm(forms.Form):
    """A person's reading: a verdict on each marked finding, what was missed, the report.

    Verdicts come as finding-<code>; what was missed as JSON of [{code, words, box}].
    """

    PREFIX = "finding-"

    verdict = forms.ChoiceField(label=_("Verdict"), choices=Reading.Verdict.choices, required=False)
    added = AddedField(required=False)
    report = forms.CharField(label=_("Report"), max_length=REPORT_LENGTH, required=False)
    note = forms.CharField(label=_("Note"), max_length=NOTE_LENGTH, required=False)
    after_version = forms.IntegerField(min_value=0, required=False)

    def clean_verdict(self) -> str | None:
        """Say nothing where nothing was chosen: it follows from the findings."""
        return self.cleaned_data["verdict"] or None

    def clean_added(self) -> list[Added]:
        """Take the list apart; the service says what is wrong with an item's values."""
        items = self.cleaned_data["added"] or []
        try:
            return [_added(item) for item in items]
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            raise forms.ValidationError("added", code="invalid") from error

    def clean(self) -> dict[str, Any]:
        """Collect the verdicts on findings."""
        given = {key: value for key, value in self.data.items() if key.startswith(self.PREFIX)}
        findings = {key.removeprefix(self.PREFIX): str(value) for key, value in given.items()}
        return {**self.cleaned_data, "findings": findings}


class FirstLookForm(forms.Form):
    """What a person sees before the networks' reading is shown."""

    impression = forms.ChoiceField(label=_("First look"), choices=FirstLook.Impression.choices)
    codes = forms.MultipleChoiceField(choices=[(name, name) for name in NAMES], required=False)


class RetentionForm(forms.Form):
    """For how many years records would be kept, to see what that takes out."""

    years = forms.IntegerField(
        label=_("Years that records are kept"), min_value=KEEP_LEAST_YEARS, max_value=200
    )


class QuickForm(forms.Form):
    """One film for one answer."""

    file = forms.FileField(label=_("Film"), allow_empty_file=True)
    child = forms.BooleanField(required=False)


def _added(item: dict[str, Any]) -> Added:
    box = item.get("box")
    if box is not None:
        x0, y0, x1, y1 = (float(side) for side in box)
        box = (x0, y0, x1, y1)
    return Added(code=str(item["code"]), words=str(item.get("words") or ""), box=box)
