"""Words for the codes of this application: what happened, what to do now."""

from django.utils.translation import gettext_lazy as _

from xraydx.errors import Message

MESSAGES: dict[str, Message] = {
    "patient_not_found": Message(
        _("This patient does not exist, or is not open to you."),
        _("Check that you have the right patient, or go back to the patient list."),
    ),
    "visit_not_found": Message(
        _("This visit does not exist, or is not open to you."),
        _("Check that you have the right patient, or go back to the patient list."),
    ),
    "mrn_taken": Message(
        _("Another patient is registered with this MRN."),
        _("If it is the same person, open that record; else correct the number."),
    ),
    "visit_open_already": Message(
        _("This patient has an open visit already."),
        _("Go on with that visit, or confirm that a second one is meant."),
    ),
    "edited_meanwhile": Message(
        _("Somebody else saved changes while you were editing."),
        _("Look at what they changed, then save yours again."),
    ),
    "closed_at_invalid": Message(
        _("A visit can't end in the future or before it began."),
        _("Correct the time."),
    ),
    "reason_too_short": Message(
        _("Opening this record needs a reason."),
        _("Write in a few words why you need it; an administrator will read it."),
    ),
    "filter_invalid": Message(
        _("The list can't be filtered like this."),
        _("Go back to the patient list and choose again."),
    ),
    "cursor_invalid": Message(
        _("This page of the list is no longer there."),
        _("Start again from the first page."),
    ),
}
