"""Taking a study and letting it go."""

from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.formats import date_format
from django.utils.timezone import localtime

from accounts.models import User
from accounts.permissions import Capability, require
from audit.services import record
from diagnosis.models import Study
from worklist import selectors
from worklist.models import Hold
from xraydx.errors import Conflict


def take_study(*, study_id: UUID, by: User, over: UUID | None = None) -> None:
    """Note that `by` reads the study's films; taking one's own again changes nothing.

    over: the account that is known to have it and from whom it is taken over
    raises: Forbidden; NotFound; Conflict("study_held") where somebody else has it
    """
    study = selectors.study_for(by, study_id)
    patient_id = study.visit.patient_id
    require(by, Capability.sign_reading, target=study, patient_id=patient_id)
    with transaction.atomic():
        if not _take(study, by, over):
            return
        detail = {"over": over} if over else None
        record(actor=by, action="study.take", target=study, patient_id=patient_id, detail=detail)


def _take(study: Study, by: User, over: UUID | None) -> bool:
    """Write the hold in one statement; tell whether that was new. raises: Conflict"""
    Hold.objects.filter(study=study, taken_at__lt=Now() - selectors.HELD_WITHIN).delete()
    if over is not None:
        moved = Hold.objects.filter(study=study, user_id=over).update(user=by, taken_at=Now())
        if moved:
            return True
    try:
        with transaction.atomic():
            Hold.objects.create(study=study, user=by)
    except IntegrityError as error:
        hold = selectors.holder_of(study.pk)
        if hold is None:  # released between the two statements
            return _take(study, by, None)
        if hold.user_id == by.pk:
            return False
        time = date_format(localtime(hold.taken_at), "TIME_FORMAT")
        raise Conflict("study_held", params={"name": str(hold.user), "time": time}) from error
    return True


def release_study(*, study_id: UUID, by: User) -> None:
    """Let the study go again. raises: Forbidden; NotFound; Conflict("study_not_held")"""
    study = selectors.study_for(by, study_id)
    patient_id = study.visit.patient_id
    require(by, Capability.sign_reading, target=study, patient_id=patient_id)
    with transaction.atomic():
        released, _rows = Hold.objects.filter(study=study, user=by).delete()
        if not released:
            raise Conflict("study_not_held")
        record(actor=by, action="study.release", target=study, patient_id=patient_id)
