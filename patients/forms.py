"""What the pages ask for."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from patients.criteria import ORDERS, STATUSES
from patients.models import AREA_LENGTH, COMPLAINT_LENGTH, NAME_LENGTH, Patient, Sex, Visit
from patients.names import UNIDENTIFIED
from patients.selectors import possible_attendings
from patients.validation import (
    MRN_LENGTH,
    OLDEST_AGE,
    check_birth_date,
    check_mrn,
    check_one_line,
    check_some_lines,
)

NO_AGE = _("Give full years, from 0 to 130.")
TRIAGE_LEVELS = [(level, str(level)) for level in range(1, 6)]


def _quiet(**attributes: Any) -> dict[str, Any]:
    """Return attributes of an input that no browser keeps or corrects."""
    return {"autocomplete": "off", "spellcheck": "false", **attributes}


class BirthDateField(forms.DateField):
    """A date typed in one go; a picker costs more time than ten digits."""

    def __init__(self, **options: Any) -> None:
        attributes = _quiet(inputmode="numeric", placeholder=_("YYYY-MM-DD"))
        faults = {"invalid": _("This is no date. Write it as YYYY-MM-DD.")}
        super().__init__(widget=forms.DateInput(attrs=attributes), error_messages=faults, **options)


class PatientForm(forms.Form):
    """Who the patient is."""

    mrn = forms.CharField(
        label=_("MRN"),
        required=False,
        max_length=MRN_LENGTH,
        validators=[check_mrn],
        widget=forms.TextInput(attrs=_quiet(autocapitalize="characters")),
        help_text=_("Medical record number. Left empty, a temporary one is issued."),
    )
    family_name = forms.CharField(
        label=_("Family name"),
        max_length=NAME_LENGTH,
        validators=[check_one_line],
        widget=forms.TextInput(attrs=_quiet()),
        error_messages={"required": _("Give a family name.")},
    )
    given_name = forms.CharField(
        label=_("Given name"),
        required=False,
        max_length=NAME_LENGTH,
        validators=[check_one_line],
        widget=forms.TextInput(attrs=_quiet()),
    )
    sex = forms.ChoiceField(
        label=_("Sex"),
        choices=Sex.choices,
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choose the sex; “Unknown” is a choice, too."),
            "invalid_choice": _("Give the sex as F, M, O or U."),
        },
    )
    birth_date = BirthDateField(
        label=_("Birth date"), required=False, validators=[check_birth_date]
    )
    age_estimated = forms.IntegerField(
        label=_("Estimated age"),
        required=False,
        min_value=0,
        max_value=OLDEST_AGE,
        widget=forms.TextInput(attrs=_quiet(inputmode="numeric")),
        help_text=_("In years, where the birth date is not known."),
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), NO_AGE),
    )


class VersionedForm(forms.Form):
    """A form that carries the version of the row that the page showed."""

    version = forms.IntegerField(widget=forms.HiddenInput)

    def rebase(self, version: int) -> None:
        """Let what stands in the form count as a change of this version."""
        self.data = dict(self.data.items()) | {"version": str(version)}


class EditPatientForm(PatientForm, VersionedForm):
    """Who the patient is."""

    @classmethod
    def of(cls, patient: Patient) -> "EditPatientForm":
        """Return the form filled in from the patient."""
        return cls(initial={name: getattr(patient, name) for name in cls.base_fields})


class RegisterForm(PatientForm):
    """Who the patient is, where the name may be unknown."""

    unidentified = forms.BooleanField(
        label=_("Unidentified patient"),
        required=False,
        help_text=_("The name can be added later."),
    )
    field_order = ["mrn", "unidentified"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name = self.fields["family_name"]
        name.required = "unidentified" not in self.data
        name.error_messages["required"] = _(
            "Give a name, or tick that the patient is unidentified."
        )
        self.fields["mrn"].widget.attrs["data-autofocus"] = True

    def clean(self) -> dict[str, Any]:
        """Give the unidentified something that lists can show."""
        values = super().clean() or {}
        if values.pop("unidentified", False) and not values.get("family_name"):
            values["family_name"] = UNIDENTIFIED
        return values


class VisitForm(forms.Form):
    """Why the patient is here."""

    triage_level = forms.TypedChoiceField(
        label=_("Triage level"),
        choices=TRIAGE_LEVELS,
        coerce=int,
        widget=forms.RadioSelect,
        help_text=_("1 is the most urgent."),
        error_messages={"required": _("Choose a triage level.")},
    )
    area = forms.CharField(
        label=_("Area"),
        required=False,
        max_length=AREA_LENGTH,
        validators=[check_one_line],
        widget=forms.TextInput(attrs=_quiet(list="areas", placeholder=_("Resus, A4 …"))),
    )
    chief_complaint = forms.CharField(
        label=_("Chief complaint"),
        required=False,
        max_length=COMPLAINT_LENGTH,
        validators=[check_some_lines],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    attending = forms.ModelChoiceField(  # type: ignore[type-arg,var-annotated]
        label=_("Attending"), required=False, queryset=User.objects.none(), empty_label="—"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["attending"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = possible_attendings()


class EditVisitForm(VisitForm, VersionedForm):
    """Why the patient is here."""

    @classmethod
    def of(cls, visit: Visit) -> "EditVisitForm":
        """Return the form filled in from the visit."""
        return cls(initial={name: getattr(visit, name) for name in cls.base_fields})


class SearchForm(forms.Form):
    """Whom to look for; sent as a POST and kept in the session, never in an address."""

    text = forms.CharField(
        label=_("Name, MRN or temporary number"),
        required=False,
        max_length=2 * NAME_LENGTH,
        widget=forms.TextInput(attrs=_quiet(type="search")),
    )
    birth_date = BirthDateField(label=_("Birth date"), required=False)


class SortForm(forms.Form):
    """In which order to list patients."""

    sort = forms.ChoiceField(choices=[(name, name) for name in ORDERS])


class FilterForm(forms.Form):
    """What may stand in the list's query string: nothing that tells who somebody is."""

    triage = forms.TypedChoiceField(
        required=False, choices=TRIAGE_LEVELS, coerce=int, empty_value=None
    )
    area = forms.CharField(required=False, max_length=AREA_LENGTH)
    status = forms.ChoiceField(required=False, choices=[(name, name) for name in STATUSES])
    cursor = forms.CharField(required=False, max_length=200)


class ReasonForm(forms.Form):
    """Why a record outside the rule is needed."""

    reason = forms.CharField(
        label=_("Reason"),
        min_length=5,
        max_length=300,
        widget=forms.TextInput(attrs=_quiet(**{"data-autofocus": True})),
        help_text=_("An administrator reads it together with your name and the time."),
    )


class EraseForm(forms.Form):
    """That erasing is meant."""

    sure = forms.BooleanField(
        label=_("I have checked that this is the right record, and that it must go for good.")
    )


class SecondVisitForm(forms.Form):
    """That a second open visit is meant."""

    second = forms.BooleanField(required=False, label=_("Open a second visit all the same"))


class MergeForm(forms.Form):
    """Which of two records stays, and why they are one person's."""

    keep = forms.ChoiceField(
        choices=[("this", "this"), ("other", "other")], widget=forms.RadioSelect, initial="this"
    )
    reason = forms.CharField(
        label=_("Reason"),
        min_length=5,
        max_length=300,
        widget=forms.TextInput(attrs=_quiet()),
        help_text=_("How you know that they are one person. It stays with the merge."),
    )


class LookForm(forms.Form):
    """Whom to merge with; sent as a POST, never in an address."""

    text = forms.CharField(
        label=_("Name, MRN or temporary number"),
        max_length=2 * NAME_LENGTH,
        widget=forms.TextInput(attrs=_quiet(type="search")),
    )


class ImportForm(forms.Form):
    """A CSV with patients."""

    file = forms.FileField(
        label=_("CSV file"), widget=forms.FileInput(attrs={"accept": ".csv,text/csv"})
    )
