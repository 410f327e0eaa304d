"""The quality pages and the list of discrepancies."""

import csv

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.permissions import Capability, require_capability
from accounts.requests import user_of
from audit.services import record
from diagnosis.selectors import current_release
from quality import display, selectors
from quality.first_looks import first_looks
from quality.look_words import parts_of
from quality.shadow import compare
from xraydx.errors import UserError

PERIODS = (7, 30, 90)
SHOWN = 200
COLUMNS = (
    "reading", "signed_at", "signed_by", "film", "analysis", "release", "kind", "finding",
    "probability", "threshold",
)  # fmt: skip


@never_cache
@require_safe
@require_capability(Capability.view_quality)
def overview(request: HttpRequest) -> HttpResponse:
    """Show the figures of a period."""
    user, days = user_of(request), _days(request)
    found = selectors.period(user, days)
    record(actor=user, action="quality.view", detail={"days": days})
    report = _drift(user)
    context = {
        "period": found,
        "days": days,
        "periods": PERIODS,
        "charts": display.time_charts(found),
        "agreement": display.agreement_rows(found.agreement),
        "refusals": display.refusal_rows(found.refusals, found.whole.films),
        "looks": _looks(user, days),
        "drift": report,
        "drift_rows": display.drift_rows(report.drifts or []) if report else [],
        "alarms": display.drift_rows(report.alarms) if report else [],
    }
    return render(request, "quality/overview.html", context)


def _looks(user: User, days: int) -> dict[str, object]:
    counts = first_looks(user, days)
    return {"counts": counts, "parts": parts_of(counts)}


@never_cache
@require_safe
@require_capability(Capability.view_quality)
def discrepancy_list(request: HttpRequest) -> HttpResponse:
    """List readings that differ from the networks'."""
    user, days = user_of(request), _days(request)
    found = list(selectors.discrepancies(user, days)[: SHOWN + 1])
    record(
        actor=user,
        action="quality.list_discrepancies",
        detail={"readings": [row.pk for row in found[:SHOWN]]},
    )
    context = {
        "rows": [display.discrepancy_of(row) for row in found[:SHOWN]],
        "more": len(found) > SHOWN,
        "days": days,
        "periods": PERIODS,
    }
    return render(request, "quality/discrepancies.html", context)


@never_cache
@require_safe
@require_capability(Capability.view_quality)
def shadow(request: HttpRequest) -> HttpResponse:
    """Compare the release that runs silently with the active one."""
    user = user_of(request)
    found = compare(user)
    record(actor=user, action="quality.compare_releases")
    return render(request, "quality/shadow.html", {"found": found})


@require_POST
@require_capability(Capability.view_quality)
def export(request: HttpRequest) -> HttpResponse:
    """Send the discrepancies as CSV, by ids and codes, without a patient's name or number."""
    user, days = user_of(request), _days(request)
    response = HttpResponse(content_type="text/csv")
    name = f"discrepancies-{timezone.now():%Y%m%d-%H%M}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    writer = csv.writer(response)
    writer.writerow(COLUMNS)
    for reading in selectors.discrepancies(user, days):
        writer.writerows(display.lines_of(reading))
    record(actor=user, action="quality.export", detail={"days": days})
    return response


def _drift(user: User) -> selectors.DriftReport | None:
    try:
        return selectors.drift(user, current_release())
    except UserError:  # without a release there is nothing to compare
        return None


def _days(request: HttpRequest) -> int:
    wanted = request.GET.get("days", "")
    return int(wanted) if wanted in {str(days) for days in PERIODS} else 30
