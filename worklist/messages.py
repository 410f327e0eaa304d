"""Words for the codes of this application: what happened, what to do now."""

from django.utils.translation import gettext_lazy as _

from xraydx.errors import Message

MESSAGES: dict[str, Message] = {
    "study_held": Message(
        _("%(name)s took this study at %(time)s."),
        _("Ask them, or take it over if they can't go on with it."),
    ),
    "study_not_held": Message(
        _("This study is not yours to release."),
        _("Look at the list again: somebody took it over, or it was released already."),
    ),
    "study_not_found": Message(
        _("This study does not exist, or is not open to you."),
        _("Go back to the worklist."),
    ),
    "worklist_filter_invalid": Message(
        _("The worklist can't be filtered like this."),
        _("Go back to the worklist and choose again."),
    ),
}
