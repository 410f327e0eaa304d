"""What the administrator's pages send."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from ml.vocabulary import NAMES
from policy.rules import (
    KEEP_LEAST_DAYS,
    KEEP_LEAST_YEARS,
    LEAST_URGENT,
    MAX_WAIT_MINUTES,
    MOST_URGENT,
    Policy,
    RaiseRule,
)

LEVELS = [(str(level), str(level)) for level in range(MOST_URGENT, LEAST_URGENT)]
# Rules that hold for all findings.
WHOLE = (
    "triage_scale",
    "max_wait_minutes",
    "aged_level",
    "hide_until_first_look",
    "keep_deleted_days",
    "keep_years",
)
STEP = {"step": "0.001", "inputmode": "decimal", "autocomplete": "off"}


class RulesForm(forms.Form):
    """The site's rules: those that hold for all, and five for each finding."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    triage_scale = forms.ChoiceField(
        label=_("Triage scale"),
        required=False,
        choices=[
            ("", _("Numbers 1 to 5")),
            ("ktas", _("KTAS, Korea")),
            ("esi", _("ESI, Emergency Severity Index")),
            ("mts", _("MTS, Manchester")),
            ("ats", _("ATS, Australasia")),
        ],
        help_text=_("Its words and colours stand wherever a triage level is shown."),
    )
    max_wait_minutes = forms.IntegerField(
        label=_("Maximum wait in minutes"),
        min_value=MAX_WAIT_MINUTES[0],
        max_value=MAX_WAIT_MINUTES[1],
        help_text=_("A study that nobody signed by then moves up."),
    )
    aged_level = forms.TypedChoiceField(
        label=_("It then counts as triage level"), choices=LEVELS, coerce=int
    )
    hide_until_first_look = forms.BooleanField(
        label=_("Hide what the networks found until the physician has looked"), required=False
    )

    keep_deleted_days = forms.IntegerField(
        label=_("Erase deleted patients after days"),
        required=False,
        min_value=KEEP_LEAST_DAYS,
        max_value=36_500,
        help_text=_(
            "For good, with all films. Left empty, they are kept until somebody erases them."
        ),
    )

    keep_years = forms.IntegerField(
        label=_("Delete records after years"),
        required=False,
        min_value=KEEP_LEAST_YEARS,
        max_value=200,
        help_text=_(
            "Counted from the last thing that happened in a record. Never one with an unsigned "
            "film or an open visit. Left empty, all are kept."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for code in NAMES:
            self.fields[f"danger_{code}"] = forms.IntegerField(
                required=False, min_value=1, max_value=len(NAMES)
            )
            self.fields[f"muted_{code}"] = forms.BooleanField(required=False)
            self.fields[f"level_{code}"] = forms.TypedChoiceField(
                required=False, choices=[("", "—"), *LEVELS], coerce=int, empty_value=None
            )
            self.fields[f"from_{code}"] = forms.FloatField(
                required=False, min_value=0, max_value=1, widget=forms.NumberInput(attrs=STEP)
            )
            self.fields[f"share_{code}"] = forms.FloatField(
                required=False, min_value=0.01, max_value=99.9, widget=forms.NumberInput(attrs=STEP)
            )

    @classmethod
    def of(cls, policy: Policy) -> "RulesForm":
        """Return the form filled in from the rules."""
        initial: dict[str, Any] = {name: getattr(policy, name) for name in ("version", *WHOLE)}
        for place, code in enumerate(policy.dangerous, 1):
            initial[f"danger_{code}"] = place
        for code in policy.muted:
            initial[f"muted_{code}"] = True
        for code, rule in policy.raises.items():
            initial[f"level_{code}"], initial[f"from_{code}"] = rule.level, rule.threshold
        for code, share in policy.prevalence.items():
            initial[f"share_{code}"] = round(100 * share, 3)
        return cls(initial=initial)

    def rows(self) -> list[dict[str, Any]]:
        """Return the fields finding by finding."""
        kinds = ("danger", "muted", "level", "from", "share")
        return [{"code": code, **{k: self[f"{k}_{code}"] for k in kinds}} for code in NAMES]

    def changes(self) -> dict[str, Any]:
        """Return what was sent, as policy.services.change_policy takes it."""
        sent = self.cleaned_data
        ranked = [(sent[f"danger_{code}"], place, code) for place, code in enumerate(NAMES)]
        return {
            **{name: sent[name] for name in WHOLE},
            "dangerous": tuple(c for rank, _place, c in sorted(r for r in ranked if r[0])),
            "muted": frozenset(code for code in NAMES if sent[f"muted_{code}"]),
            "raises": {
                code: RaiseRule(sent[f"level_{code}"], sent[f"from_{code}"])
                for code in NAMES
                if sent[f"level_{code}"] is not None
            },
            "prevalence": {
                code: sent[f"share_{code}"] / 100 for code in NAMES if sent[f"share_{code}"]
            },
        }


class PointsForm(forms.Form):
    """A threshold for each finding; empty for the release's own.

    release, after: whose points the page showed, and the last of them that was saved
    """

    release = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    after = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for code in NAMES:
            self.fields[code] = forms.FloatField(
                required=False, min_value=0, max_value=1, widget=forms.NumberInput(attrs=STEP)
            )

    @classmethod
    def of(cls, thresholds: Mapping[str, float], *, release: str, after: int) -> "PointsForm":
        """Return the form filled in from the site's thresholds."""
        return cls(initial={**thresholds, "release": release, "after": after})

    def thresholds(self) -> dict[str, float | None]:
        """Return what was sent."""
        return {code: self.cleaned_data.get(code) for code in NAMES}


class ReleaseForm(forms.Form):
    """Which release to read with, and on which version of the rules that is based."""

    release = forms.CharField(required=False, max_length=64)
    version = forms.IntegerField()
