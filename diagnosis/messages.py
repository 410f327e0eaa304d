"""Every code of diagnosis, in words: what happened, and what to do now."""

from django.utils.translation import gettext_lazy as _

from xraydx.errors import Message

# Files that no decoder opens: the upload is refused and leaves no film.
UNDECODABLE: dict[str, Message] = {
    "empty": Message(
        _("The file is empty."),
        _("Export the film again and send that file."),
    ),
    "too_large": Message(
        _("The file is larger than a chest film can be."),
        _("Send one film per file, without video or a whole series."),
    ),
    "too_many_pixels": Message(
        _("The picture has more pixels than a chest film can have."),
        _("Export the film at its original size and send that file."),
    ),
    "too_many_frames": Message(
        _("The file holds several pictures."),
        _("Send one film per file."),
    ),
    "format_not_supported": Message(
        _("This kind of file is not a radiograph that can be read here."),
        _("Send the film as DICOM, PNG, JPEG, WebP or TIFF."),
    ),
    "unreadable": Message(
        _("The file is damaged: its picture cannot be decoded."),
        _("Export the film again and send that file."),
    ),
    "truncated": Message(
        _("The file ends too early: a part of the picture is missing."),
        _("Export or copy the film again and send that file."),
    ),
    "nested_too_deep": Message(
        _("The DICOM file is nested too deeply to be opened safely."),
        _("Export the film again from the modality, or send it as PNG."),
    ),
    "inflates_too_far": Message(
        _("The file unpacks to far more data than a film holds."),
        _("Export the film again and send that file."),
    ),
    "no_pixels": Message(
        _("The DICOM file holds no picture."),
        _("Send the image itself, not a report or a presentation state."),
    ),
    "decode_limit": Message(
        _("Decoding the file took more time or memory than a film needs."),
        _("Export the film uncompressed, or as PNG, and send that file."),
    ),
}

# Pictures that open and are unfit: the analysis ends as refused.
UNFIT: dict[str, Message] = {
    "not_a_chest": Message(
        _("The picture does not look like a chest radiograph."),
        _("Check that the right file was sent, and send the chest film."),
    ),
    "lateral": Message(
        _("The film looks like a lateral view."),
        _("Send the frontal (PA or AP) film: only frontal films are read."),
    ),
    "upside_down": Message(
        _("The film looks upside down."),
        _("Turn the film upright and send it again."),
    ),
    "cropped": Message(
        _("A large part of the chest is missing from the picture."),
        _("Send the whole film, or take it again."),
    ),
    "blank": Message(
        _("The picture is blank, or nearly so."),
        _("Check the exposure and take the film again."),
    ),
    "too_small": Message(
        _("The picture has too few pixels to be read."),
        _("Send the film at its original size, not a thumbnail."),
    ),
    "low_contrast": Message(
        _("The picture has too little contrast to be read."),
        _("Check the exposure or the window of the export, and send it again."),
    ),
}

# Faults of ours: the analysis ends as failed.
FAULTS: dict[str, Message] = {
    "worker_lost": Message(
        _("The reading was interrupted several times."),
        _("Read the film again. If it happens again, tell the administrator."),
    ),
    "time_limit": Message(
        _("The reading took too long and was stopped."),
        _("Read the film again. If it happens again, tell the administrator."),
    ),
    "storage_unavailable": Message(
        _("The stored film could not be reached."),
        _("Read the film again in a minute. If it happens again, tell the administrator."),
    ),
    "quick_read_limit": Message(
        _("You have asked for %(most)s quick reads within an hour, which is the most."),
        _(
            "Ask again in %(minutes)s min. A patient's film has no such limit: register the "
            "patient and send it there."
        ),
    ),
    "film_missing": Message(
        _("The stored film is missing."),
        _("Send the film again, and tell the administrator."),
    ),
    "film_damaged": Message(
        _("The stored film is no longer what was sent."),
        _("Send the film again, and tell the administrator."),
    ),
    "release_unavailable": Message(
        _("The networks that this reading asked for are not installed."),
        _("Read the film again with the present release."),
    ),
    "internal_error": Message(
        _("The reading stopped because of a fault of this software."),
        _("Read the film again. If it happens again, give the incident number to support."),
    ),
}

# What a service answers to a request that it cannot carry out.
REQUESTS: dict[str, Message] = {
    "file_missing": Message(
        _("No file was sent."),
        _("Send the film as a file named “file”."),
    ),
    "bytes_of_another_patient": Message(
        _("This very film is already filed under another patient."),
        _("Check whose film it is. Confirm the patient if it belongs here."),
    ),
    "patient_id_differs": Message(
        _("The patient named inside the file is another one."),
        _("Check whose film it is. Confirm the patient if it belongs here."),
    ),
    "film_already_there": Message(
        _("The patient already has this very film."),
        _("Delete the film that is filed wrongly instead of moving it."),
    ),
    "film_not_moved": Message(
        _("The film is in that visit already."),
        _("Choose another visit."),
    ),
    "reason_missing": Message(
        _("A reason is needed."),
        _("Say in a few words why, and try again."),
    ),
    "reason_too_long": Message(
        _("The reason is too long."),
        _("Say it in at most 400 characters."),
    ),
    "idempotency_key_invalid": Message(
        _("The Idempotency-Key is empty, too long or not plain text."),
        _("Use 1 to 200 printable ASCII characters."),
    ),
    "idempotency_key_reused": Message(
        _("This Idempotency-Key was used for another file or visit."),
        _("Use a new key for a new upload."),
    ),
    "analysis_final": Message(
        _("The reading has already ended."),
        _("Nothing is left to stop. Read the film again if a new reading is needed."),
    ),
    "analysis_not_read": Message(
        _("There is no machine reading to sign."),
        _("Wait until the film has been read, or read it again."),
    ),
    "verdict_unknown": Message(
        _("The verdict is none of agree, disagree and unsure."),
        _("Choose one of the three."),
    ),
    "finding_unknown": Message(
        _("One of the findings is not known here."),
        _("Name findings by the codes of this reading."),
    ),
    "look_first": Message(
        _("The films are compared after your first look."),
        _("Say what you see on the film first."),
    ),
    "impression_unknown": Message(
        _("The first look says nothing that is known here."),
        _("Choose one of the three, and findings of the list."),
    ),
    "added_invalid": Message(
        _("A finding that you added is not complete."),
        _("Choose a finding or name it in a few words; its box must lie on the film."),
    ),
    "report_too_long": Message(
        _("The report is too long."),
        _("Say it in at most 8,000 characters, the note in 4,000."),
    ),
    "signed_meanwhile": Message(
        _("Somebody else has signed a reading of this film in the meantime."),
        _("Read it above. Your own is still here: sign again to add it as a further version."),
    ),
    "status_unknown": Message(
        _("The status is none that an analysis can have."),
        _("Use queued, running, succeeded, refused, failed or cancelled."),
    ),
    "since_invalid": Message(
        _("The time in “since” cannot be understood."),
        _("Use ISO 8601, such as 2026-01-31T12:00:00Z."),
    ),
    "film_not_stored": Message(
        _("The film could not be stored."),
        _("Send it again in a minute. If it happens again, tell the administrator."),
    ),
    "no_release": Message(
        _("No networks are installed that could read the film."),
        _("Tell the administrator: the release cannot be loaded."),
    ),
}

MESSAGES: dict[str, Message] = {**UNDECODABLE, **UNFIT, **FAULTS, **REQUESTS}
