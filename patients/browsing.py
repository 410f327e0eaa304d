"""What a person looks for in the list, kept in their session between pages."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.contrib.sessions.backends.base import SessionBase
from django.urls import reverse

from patients.criteria import ORDERS, Criteria

SEARCH = "patients.search"
SORT = "patients.sort"


def remember_search(session: SessionBase, *, text: str, birth_date: date | None) -> None:
    """Keep whom to look for; empty values look for nobody in particular."""
    session.pop(SEARCH, None)
    if text or birth_date:
        session[SEARCH] = {"text": text, "born": birth_date.isoformat() if birth_date else None}


def remember_sort(session: SessionBase, sort: str) -> None:
    """Keep the order of the list."""
    session[SORT] = sort


def criteria_from(session: SessionBase, filters: Mapping[str, Any]) -> Criteria:
    """Put the kept search and the filters of the address together.

    Without a search the list opens with whom the ER has now; a search looks everywhere.
    """
    kept = session.get(SEARCH) or {}
    born, sort = kept.get("born"), session.get(SORT)
    return Criteria(
        text=kept.get("text", ""),
        birth_date=date.fromisoformat(born) if born else None,
        triage=filters.get("triage") or None,
        area=filters.get("area") or "",
        status=filters.get("status") or ("all" if kept else "open"),
        sort=sort if sort in ORDERS else "arrived",
    )


def list_address(criteria: Criteria, **changes: Any) -> str:
    """Return the list's address with these filters; changes may also hold a cursor."""
    cursor = changes.pop("cursor", "")
    wanted = criteria.with_(**changes)
    query = {"triage": wanted.triage, "area": wanted.area, "status": wanted.status}
    query = {k: v for k, v in {**query, "cursor": cursor}.items() if v}
    return f"{reverse('patients:list')}?{urlencode(query)}"
