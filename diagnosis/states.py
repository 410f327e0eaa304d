"""The states of an analysis and the only moves between them."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Status(TextChoices):
    """Where an analysis stands; stored in Analysis.status and shown by the API."""

    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Reading")
    SUCCEEDED = "succeeded", _("Read")
    REFUSED = "refused", _("Refused")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class Event(TextChoices):
    """What may happen to an analysis."""

    CLAIM = "claim", _("a worker takes it")
    SUCCEED = "succeed", _("the film was read")
    REFUSE = "refuse", _("the film is unfit")
    FAIL = "fail", _("a fault that will not pass, or the last attempt")
    RETRY = "retry", _("a fault that passes")
    REAP = "reap", _("the lease ran out")
    RELEASE = "release", _("the worker died")
    CANCEL = "cancel", _("a person stopped it")


ACTIVE = frozenset({Status.QUEUED, Status.RUNNING})
FINAL = frozenset({Status.SUCCEEDED, Status.REFUSED, Status.FAILED, Status.CANCELLED})
# PostgreSQL announces here, by its id, an analysis that has become final.
FINAL_CHANNEL = "xraydx_final"

TRANSITIONS: dict[tuple[Status, Event], Status] = {
    (Status.QUEUED, Event.CLAIM): Status.RUNNING,
    (Status.QUEUED, Event.CANCEL): Status.CANCELLED,
    (Status.RUNNING, Event.SUCCEED): Status.SUCCEEDED,
    (Status.RUNNING, Event.REFUSE): Status.REFUSED,
    (Status.RUNNING, Event.FAIL): Status.FAILED,
    (Status.RUNNING, Event.RETRY): Status.QUEUED,
    (Status.RUNNING, Event.REAP): Status.QUEUED,
    (Status.RUNNING, Event.RELEASE): Status.QUEUED,
    (Status.RUNNING, Event.CANCEL): Status.CANCELLED,
}


def origins(event: Event) -> list[Status]:
    """States from which the event may happen, in the order of Status."""
    return [status for status in Status if (status, event) in TRANSITIONS]


def target(event: Event) -> Status:
    """The state that the event leads to; every event leads to exactly one."""
    (status,) = {after for (_before, moved), after in TRANSITIONS.items() if moved is event}
    return status
