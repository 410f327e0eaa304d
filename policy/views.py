"""The administrator's pages of the site's rules."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import Capability, require_capability
from accounts.requests import is_partial, user_of
from accounts.views.errors import show_error
from audit.services import record
from ml import bundle
from ml.vocabulary import NAMES
from policy import curves, selectors, services
from policy.curves import Effect
from policy.forms import WHOLE, PointsForm, ReleaseForm, RulesForm
from policy.members import members_of
from xraydx.errors import Conflict, UserError


@dataclass(frozen=True)
class PointRow:
    """One finding's threshold: as it is in force, and as it would be."""

    code: str
    field: Any
    own: float
    before: Effect
    after: Effect

    @property
    def changes(self) -> bool:
        return self.before.threshold != self.after.threshold


@never_cache
@require_http_methods(["GET", "POST"])
@require_capability(Capability.manage_policy)
def rules(request: HttpRequest) -> HttpResponse:
    """Show the rules and save changes of them."""
    if request.method != "POST":
        record(actor=user_of(request), action="policy.view")
        return _rules_page(request, RulesForm.of(selectors.present()))
    form = RulesForm(request.POST)
    if not form.is_valid():
        return _rules_page(request, form, status=422)
    try:
        services.change_policy(
            by=user_of(request), version=form.cleaned_data["version"], **form.changes()
        )
    except Conflict as error:
        return _rules_page(request, form, status=show_error(form, error))
    messages.success(request, _("Saved. The rules hold from now on."))
    return redirect("policy:rules")


def _rules_page(request: HttpRequest, form: RulesForm, *, status: int = 200) -> HttpResponse:
    release = _release()
    shares = {code: 100 * curves.stated_prevalence(release, code) for code in NAMES}
    rows = [{**row, "stated": shares[row["code"]]} for row in form.rows()]
    whole = [form[name] for name in WHOLE]
    context = {"form": form, "rows": rows, "whole": whole, "history": selectors.history(10)}
    return render(request, "policy/rules.html", context, status=status)


@never_cache
@require_http_methods(["GET", "POST"])
@require_capability(Capability.manage_policy)
def points(request: HttpRequest) -> HttpResponse:
    """Show thresholds and what they do; save those that were changed."""
    release = _release()
    if request.method != "POST":
        record(actor=user_of(request), action="policy.view", detail={"release": release.name})
        held, after = selectors.site_points(release.name), selectors.last_point(release.name)
        form = PointsForm.of(held, release=release.name, after=after)
        return _points_page(request, release, form)
    form = PointsForm(request.POST)
    if not form.is_valid() or "save" not in request.POST:
        return _points_page(request, release, form, status=200 if form.is_valid() else 422)
    if form.cleaned_data["release"] not in ("", release.name):
        raise Conflict("policy_changed_meanwhile")
    after, thresholds = form.cleaned_data["after"], form.thresholds()
    count = services.set_points(
        by=user_of(request), release=release.name, thresholds=thresholds, after=after
    )
    said = ngettext("%(n)d threshold saved.", "%(n)d thresholds saved.", count) % {"n": count}
    messages.success(request, said)
    return redirect("policy:points")


def _points_page(
    request: HttpRequest, release: bundle.Release, form: PointsForm, *, status: int = 200
) -> HttpResponse:
    """Render the table; asked for by htmx, the table alone."""
    rows = _point_rows(release, form)
    changed = sum(row.changes for row in rows)
    context = {"release": release, "form": form, "rows": rows, "changed": changed}
    partial = is_partial(request)
    template = "policy/_points.html" if partial else "policy/points.html"
    return render(request, template, context, status=status)


def _point_rows(release: bundle.Release, form: PointsForm) -> list[PointRow]:
    held, own = selectors.site_points(release.name), curves.own_thresholds(release)
    wanted = form.thresholds() if form.is_bound and form.is_valid() else held
    policy, rows = selectors.present(), []
    for code in NAMES:
        share = selectors.prevalence_of(policy, release, code)
        now, then = held.get(code), wanted.get(code)
        effects = [
            curves.effect_of(release, code, own[code] if t is None else t, prevalence=share)
            for t in (now, then)
        ]
        rows.append(PointRow(code, form[code], own[code], *effects))
    return rows


@never_cache
@require_safe
@require_capability(Capability.manage_policy)
def releases(request: HttpRequest) -> HttpResponse:
    """List the installed releases, the active one marked."""
    record(actor=user_of(request), action="policy.view")
    found = []
    for name in reversed(bundle.release_names()):
        try:
            found.append({"name": name, "members": members_of(curves.installed(name))})
        except bundle.ReleaseError as error:
            found.append({"name": name, "fault": str(error)})
    context = {"found": found, "active": _release().name, "policy": selectors.present()}
    return render(request, "policy/releases.html", context)


@require_POST
@require_capability(Capability.manage_policy)
def activate(request: HttpRequest) -> HttpResponse:
    """Have new films read with a release."""
    form = ReleaseForm(request.POST)
    if not form.is_valid():
        raise UserError("release_unknown")
    services.activate_release(by=user_of(request), **form.cleaned_data)
    messages.success(request, _("New films are read with this release from now on."))
    return redirect("policy:releases")


@require_POST
@require_capability(Capability.manage_policy)
def run_silently(request: HttpRequest) -> HttpResponse:
    """Have a release read new films beside the active one, unseen; or end that."""
    form = ReleaseForm(request.POST)
    if not form.is_valid():
        raise UserError("release_unknown")
    services.choose_shadow(by=user_of(request), **form.cleaned_data)
    return redirect("policy:releases")


def _release() -> bundle.Release:
    try:
        return curves.installed(selectors.active_release())
    except bundle.ReleaseError as error:
        raise UserError("no_release", status=503) from error
