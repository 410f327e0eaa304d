"""What the worklist's page sends."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from patients.models import AREA_LENGTH, NAME_LENGTH
from worklist.display import SHOWS, Filter

ROWS, MOST_ROWS = 50, 500


class FilterForm(forms.Form):
    """Which studies to show; sent as a POST and kept in the session, never in an address."""

    show = forms.ChoiceField(required=False, choices=[(name, name) for name in SHOWS])
    area = forms.CharField(required=False, max_length=AREA_LENGTH, strip=False)
    text = forms.CharField(label=_("Name or number"), required=False, max_length=NAME_LENGTH)

    def changed(self, before: Filter) -> Filter:
        """Return the filter with what was sent; what was not sent stays."""
        sent: dict[str, Any] = {
            name: self.cleaned_data[name] for name in self.fields if name in self.data
        }
        return Filter(**{"show": before.show, "area": before.area, "text": before.text, **sent})


class LengthForm(forms.Form):
    """How many rows to show."""

    rows = forms.IntegerField(required=False, min_value=ROWS, max_value=MOST_ROWS)


class TakeForm(forms.Form):
    """From whom a study is taken over."""

    over = forms.UUIDField(required=False)
