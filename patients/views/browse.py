"""The list of patients, its search and its order."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import Capability, require_capability
from accounts.requests import user_of
from patients import browsing, looking, selectors
from patients.criteria import Criteria
from patients.forms import FilterForm, SearchForm, SortForm
from xraydx.errors import UserError


@never_cache
@require_safe
@require_capability(Capability.view_patient)
def patient_list(request: HttpRequest) -> HttpResponse:
    """Show one page of the patients whom one may see."""
    filters = FilterForm(request.GET)
    if not filters.is_valid():
        raise UserError("filter_invalid")
    criteria = browsing.criteria_from(request.session, filters.cleaned_data)
    form = SearchForm(initial={"text": criteria.text, "birth_date": criteria.birth_date})
    cursor = filters.cleaned_data["cursor"]
    return _list_page(request, criteria, form, cursor)


@never_cache
@require_POST
@require_capability(Capability.view_patient)
def search(request: HttpRequest) -> HttpResponse:
    """Keep whom to look for in the session; an empty search ends it."""
    form = SearchForm(request.POST)
    if not form.is_valid():
        criteria = browsing.criteria_from(request.session, {})
        return _list_page(request, criteria, form, "", status=422)
    browsing.remember_search(request.session, **form.cleaned_data)
    return redirect("patients:list")


@require_POST
@require_capability(Capability.view_patient)
def sort(request: HttpRequest) -> HttpResponse:
    """Keep the order of the list in the session."""
    form = SortForm(request.POST)
    if not form.is_valid():
        raise UserError("filter_invalid")
    browsing.remember_sort(request.session, form.cleaned_data["sort"])
    criteria = browsing.criteria_from(request.session, _filters(request))
    return redirect(browsing.list_address(criteria))


def _filters(request: HttpRequest) -> dict[str, object]:
    """Return the filters that stand in the address, none where they make no sense."""
    form = FilterForm(request.GET)
    return form.cleaned_data if form.is_valid() else {}


def _list_page(
    request: HttpRequest, criteria: Criteria, form: SearchForm, cursor: str, *, status: int = 200
) -> HttpResponse:
    """Render the list."""
    user = user_of(request)
    page = looking.look_through(user, criteria, cursor)
    elsewhere = selectors.matches_elsewhere(user, criteria) if criteria.is_search else []
    context = {
        "form": form,
        "criteria": criteria,
        "page": page,
        "elsewhere": elsewhere,
        "filters": _filter_links(criteria),
        "next_url": page.next and browsing.list_address(criteria, cursor=page.next),
        "previous_url": page.previous and browsing.list_address(criteria, cursor=page.previous),
        "here": browsing.list_address(criteria),
        "everybody": browsing.list_address(criteria, status="all", triage=None, area=""),
    }
    return render(request, "patients/list.html", context, status=status)


def _filter_links(criteria: Criteria) -> dict[str, list[tuple[str, str, bool]]]:
    """Return value, address and whether it is the present one, for every filter."""

    def links(name: str, values: list[object]) -> list[tuple[str, str, bool]]:
        present = getattr(criteria, name)
        return [
            (str(v or ""), browsing.list_address(criteria, **{name: v}), v == present)
            for v in values
        ]

    areas: list[object] = ["", *selectors.open_areas()]
    if criteria.area and criteria.area not in areas:
        areas.append(criteria.area)
    return {
        "status": links("status", ["open", "closed", "all"]),
        "triage": links("triage", [None, 1, 2, 3, 4, 5]),
        "area": links("area", areas),
    }
