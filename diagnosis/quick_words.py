"""The answer of a quick read in words and figures."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from diagnosis import display, selectors
from diagnosis.measures import child_over_calls
from diagnosis.models import QuickRead
from diagnosis.states import Status
from ml import bundle
from ml.vocabulary import NAMES
from policy import curves
from xraydx.errors import UserError, message_for

POLL_MS = 500


def child_ages() -> tuple[float, float] | None:
    """The ages, from and below, that the present release reads children of; None if none."""
    try:
        release = curves.installed(selectors.current_release())
    except (UserError, bundle.ReleaseError):
        return None
    return release.child_ages


def over_calls_of(name: str) -> int | None:
    """See measures.child_over_calls; None for a release that is not installed any more."""
    try:
        return child_over_calls(curves.installed(name))
    except bundle.ReleaseError:
        return None


def context_of(quick: QuickRead) -> dict[str, Any]:
    """What the page of a quick read shows."""
    context: dict[str, Any] = {"quick": quick, "poll_ms": POLL_MS}
    context["waits"] = quick.state in {Status.QUEUED, Status.RUNNING}
    if quick.reason:
        what, do = message_for(quick.reason).fill({})
        context["message"] = {"what": what, "do": do}
    if quick.state == Status.SUCCEEDED:
        context |= _answer_context(quick)
    return context


def _answer_context(quick: QuickRead) -> dict[str, Any]:
    answer = quick.answer
    probability, threshold = float(answer["probability"]), float(answer["threshold"])
    addresses = {
        name: reverse("diagnosis:quick_picture", args=[quick.id, name])
        for name in answer.get("pictures", [])
    }
    return {
        "verdict": answer["verdict"],
        "probability": display.figure(probability),
        "threshold": display.figure(threshold),
        "quick_card": {
            "bar": round(100 * probability, 1),
            "tick": round(100 * threshold, 1),
            "above": probability >= threshold,
            "urgent": True,
        },
        "others": ", ".join(display.name_of(code) for code in answer["others"] if code in NAMES),
        "by_child_reader": answer["reader"] == "children",
        "over_calls": over_calls_of(answer["release"]),
        "release": answer["release"],
        "addresses": addresses,
        "legend": _("where it looked for pneumonia:"),
    }
