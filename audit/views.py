"""The record, as administrators read and take it out."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.apps import apps
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.views.decorators.http import require_POST, require_safe

from audit.forms import FilterForm
from audit.models import Entry
from audit.selectors import Criteria, entries_for, names_of
from audit.services import record
from audit.words import ACTIONS, words_of

PAGE_SIZE = 50
EXPORT_LIMIT = 100_000
KEPT = "audit_filter"
# A longer list of ids is folded behind its number.
SHORT = 2
COLUMNS = (
    "id", "at", "actor_id", "action", "target_type", "target_id",
    "patient_id", "reason", "detail", "via", "address", "request_id",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """An entry as the list shows it; detail: key, value, how many where it is a long list."""

    entry: Entry
    words: str | Promise
    actor: str
    kind: str | Promise
    target: str
    detail: list[tuple[str, object, int]]


@require_safe
def entry_list(request: HttpRequest) -> HttpResponse:
    """Show a page of entries that pass the filter kept in the session."""
    kept = request.session.get(KEPT, {})
    form = FilterForm(kept)
    criteria = form.criteria() if form.is_valid() else Criteria()
    before = _number(request.GET.get("before", ""))
    found = list(entries_for(request.user, criteria, before=before)[: PAGE_SIZE + 1])
    if before is None:
        record(actor=request.user, action="audit.view")
    page = found[:PAGE_SIZE]
    context = {
        "form": form,
        "actions": ACTIONS,
        "filtered": any(kept.values()),
        "entries": _rows(page),
        "first_url": reverse("audit:list") if before is not None else "",
        "next_url": f"{reverse('audit:list')}?before={page[-1].id}"
        if len(found) > PAGE_SIZE
        else "",
    }
    return render(request, "audit/list.html", context)


@require_POST
def entry_filter(request: HttpRequest) -> HttpResponse:
    """Keep a filter in the session, or forget it."""
    entries_for(request.user, Criteria())
    form = FilterForm(request.POST)
    if "clear" in request.POST:
        request.session.pop(KEPT, None)
    elif form.is_valid():
        request.session[KEPT] = {name: request.POST.get(name, "") for name in form.fields}
    else:
        return render(
            request,
            "audit/list.html",
            {"form": form, "actions": ACTIONS, "entries": []},
            status=422,
        )
    return redirect("audit:list")


@require_POST
def entry_export(request: HttpRequest) -> HttpResponseBase:
    """Send the entries that pass the filter as CSV, 100,000 at most, the newest first."""
    form = FilterForm(request.session.get(KEPT, {}))
    criteria = form.criteria() if form.is_valid() else Criteria()
    entries = entries_for(request.user, criteria)[:EXPORT_LIMIT]
    record(actor=request.user, action="audit.export")
    response = StreamingHttpResponse(_csv_lines(entries.iterator()), content_type="text/csv")
    name = f"audit-{timezone.now():%Y%m%d-%H%M}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


class _Line:
    """A file for the csv module that hands each line on at once."""

    def write(self, text: str) -> str:
        """Return the line."""
        return text


def _csv_lines(entries: Iterator[Entry]) -> Iterator[str]:
    """Write entries as CSV, line by line."""
    writer = csv.writer(_Line())
    yield writer.writerow(COLUMNS)
    for entry in entries:
        row = {**{name: getattr(entry, name) for name in COLUMNS}}
        row |= {"at": entry.at.isoformat(), "detail": json.dumps(entry.detail, sort_keys=True)}
        yield writer.writerow(["" if row[name] is None else row[name] for name in COLUMNS])


def _rows(entries: list[Entry]) -> list[Row]:
    """Put names, as they are now, and readable details beside the entries."""
    ids = [entry.actor_id for entry in entries]
    accounts = get_user_model()._meta.label_lower
    ids += [UUID(entry.target_id) for entry in entries if entry.target_type == accounts]
    names = {str(account_id): name for account_id, name in names_of(ids).items()}
    return [
        Row(
            entry=entry,
            words=words_of(entry.action),
            actor=names.get(str(entry.actor_id), ""),
            kind=_kind(entry.target_type),
            target=names.get(entry.target_id, ""),
            detail=[_detail(key, value) for key, value in entry.detail.items() if value != []],
        )
        for entry in entries
    ]


def _detail(key: str, value: object) -> tuple[str, object, int]:
    if not isinstance(value, list):
        return key, value, 0
    return key, ", ".join(map(str, value)), len(value) if len(value) > SHORT else 0


def _kind(target_type: str) -> str | Promise:
    """Return what the target is in words, its code where no model has it any more."""
    try:
        return apps.get_model(target_type)._meta.verbose_name or target_type
    except (LookupError, ValueError):
        return target_type


def _number(text: str) -> int | None:
    """Return the cursor, None where there is none or it is no number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
