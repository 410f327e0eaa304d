"""Shows a service's refusal on the form that it belongs to."""

from django import forms

from xraydx.errors import UserError, message_for


def show_error(form: forms.Form, error: UserError) -> int:
    """Put the words of the error on the form and return the status of the answer."""
    what, do = message_for(error.code).fill(error.params)
    field = error.field if error.field in form.fields else None
    form.add_error(field, f"{what} {do}")
    for name, texts in error.errors.items():
        for text in texts:
            form.add_error(name if name in form.fields else None, text)
    return error.status
