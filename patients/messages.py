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
    "merge_of_one": Message(
        _("A record can't be merged with itself."),
        _("Choose another record."),
    ),
    "merge_reason_too_short": Message(
        _("Merging two records needs a reason."),
        _("Write in a few words how you know that they are one person."),
    ),
    "merge_undone": Message(
        _("This merge was undone already."),
        _("Look at both records as they are now."),
    ),
    "merge_not_found": Message(
        _("This merge does not exist."),
        _("Go back to the list of merged records."),
    ),
    "import_not_found": Message(
        _("This import does not exist, or is not yours."),
        _("Send the file again."),
    ),
    "import_done": Message(
        _("These lines were registered already."),
        _("Send the file again if it holds more."),
    ),
    "csv_unreadable": Message(
        _("This file can't be read as CSV."),
        _("Save it as CSV in UTF-8, with a first line that names the columns."),
    ),
    "csv_columns": Message(
        _("The first line does not name the columns, or one of them twice."),
        _("Name each once: at least family_name; mrn, given_name, birth_date and sex can follow."),
    ),
    "csv_too_long": Message(
        _("The file has more than %(most)s lines."),
        _("Send it in parts."),
    ),
}
