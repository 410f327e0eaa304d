"""What people type about accounts."""

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from accounts.models import Scope
from accounts.roles import Role
from accounts.tokens import DAYS_DEFAULT, DAYS_MAX

check_username = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9._@-]{1,63}\Z",
    _("Between 2 and 64 letters, digits, dots, hyphens, underscores or @; no spaces."),
)


class SignInForm(forms.Form):
    """User name and password."""

    username = forms.CharField(
        label=_("User name"),
        max_length=64,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "username",
                "autocapitalize": "none",
                "spellcheck": "false",
                "autofocus": True,
            }
        ),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=256,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class CodeForm(forms.Form):
    """A code of the second factor, or a recovery code."""

    code = forms.CharField(
        label=_("Code"),
        max_length=32,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "autocapitalize": "none",
                "inputmode": "text",
                "autofocus": True,
            }
        ),
    )


class CurrentPasswordForm(forms.Form):
    """The password once more, before something that a borrowed screen must not do."""

    current = forms.CharField(
        label=_("Current password"),
        max_length=256,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class PasswordForm(CurrentPasswordForm):
    """The current password and a new one, twice."""

    password = forms.CharField(
        label=_("New password"),
        max_length=256,
        strip=False,
        help_text=_("At least 12 characters. Four unusual words in a row are easy to remember."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=_("New password again"),
        max_length=256,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        """Both must be the same."""
        data = super().clean() or {}
        if data.get("password") and data.get("again") and data["password"] != data["again"]:
            self.add_error("again", _("This is not the same as the new password above."))
        return data


class EditUserForm(forms.Form):
    """Name and role of an account."""

    full_name = forms.CharField(
        label=_("Full name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)


class CreateUserForm(EditUserForm):
    """A new account."""

    username = forms.CharField(
        label=_("User name"),
        max_length=64,
        validators=[check_username],
        help_text=_("Used to sign in. Small and capital letters are the same."),
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    field_order = ("username", "full_name", "role")


class TokenForm(forms.Form):
    """What a new token is for and what it may do."""

    name = forms.CharField(
        label=_("What it is for"),
        max_length=64,
        help_text=_("For example the name of the program."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"),
        choices=Scope.choices,
        initial=[Scope.READ.value],
        widget=forms.CheckboxSelectMultiple,
    )
    days = forms.IntegerField(
        label=_("Days until it expires"), min_value=1, max_value=DAYS_MAX, initial=DAYS_DEFAULT
    )


class UserSearchForm(forms.Form):
    """Whom to look for; sent by POST and kept in the session, because it names a person."""

    name = forms.CharField(
        label=_("Name or user name"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
    )


class UserFilterForm(forms.Form):
    """Which accounts the list shows; nothing here names a person."""

    role = forms.ChoiceField(
        label=_("Role"), required=False, choices=[("", _("All roles")), *Role.choices]
    )
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("All")), ("active", _("Active")), ("closed", _("Deactivated"))],
    )
