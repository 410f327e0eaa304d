"""Words for the codes of this application: what happened, what to do now."""

from django.utils.translation import gettext_lazy as _

from xraydx.errors import Message

MESSAGES: dict[str, Message] = {
    "policy_changed_meanwhile": Message(
        _("Somebody else changed the site's rules while you were editing."),
        _("Look at the rules as they are now, then make your change again."),
    ),
    "release_unknown": Message(
        _("This release is not installed, or one of its files was changed."),
        _("Choose another release, or restore its files under ml/weights."),
    ),
}
