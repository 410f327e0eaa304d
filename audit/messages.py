"""The words for the code that reading the record raises."""

from django.utils.translation import gettext_lazy as _

from xraydx.errors import Message

MESSAGES: dict[str, Message] = {
    "actor_unknown": Message(
        _("There is no account with this user name."),
        _("Look under Users for how it is written."),
    ),
}
