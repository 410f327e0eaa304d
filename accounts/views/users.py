"""Administration of accounts."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import lockout, selectors, services, sign_in, tokens
from accounts.forms import (
    CreateUserForm,
    EditUserForm,
    TokenForm,
    UserFilterForm,
    UserSearchForm,
)
from accounts.models import User
from accounts.permissions import Capability, require_capability
from accounts.requests import user_of
from accounts.views.errors import show_error
from audit.services import record
from xraydx.errors import UserError

PAGE_SIZE = 50
SEARCHED = "accounts_searched"

# What one button does, and what is said afterwards.
ACTIONS: dict[str, tuple[Callable[..., object], str | Promise]] = {
    "activate": (services.activate_user, gettext_lazy("The account is active.")),
    "deactivate": (services.deactivate_user, gettext_lazy("The account is deactivated.")),
    "lift-lock-out": (lockout.lift_lock_out, gettext_lazy("Signing in waits no longer.")),
    "end-sessions": (sign_in.end_sessions, gettext_lazy("All sessions are closed.")),
    "reset-second-factor": (
        services.reset_second_factor,
        gettext_lazy("The second factor is removed."),
    ),
}


@require_http_methods(["GET", "HEAD", "POST"])
@require_capability(Capability.manage_users)
def users(request: HttpRequest) -> HttpResponse:
    """List accounts; a name that is sent stays in the session until another is."""
    record(actor=request.user, action="user.list")
    if request.method == "POST":
        sent = UserSearchForm(request.POST)
        request.session[SEARCHED] = sent.cleaned_data["name"] if sent.is_valid() else ""
        return redirect("accounts:users")
    name = request.session.get(SEARCHED, "")
    form = UserFilterForm(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {}
    found = selectors.users_for(user_of(request), name=name, **chosen)
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"search": UserSearchForm({"name": name}), "form": form, "page": page, "name": name}
    return render(request, "accounts/users.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@require_capability(Capability.manage_users)
def user_create(request: HttpRequest) -> HttpResponse:
    """Add an account and show its one-time password once."""
    form = CreateUserForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            user, password = services.create_user(by=user_of(request), **form.cleaned_data)
        except UserError as error:
            status = show_error(form, error)
        else:
            if password is None:
                return redirect("accounts:user", user_id=user.pk)
            context = {"kind": "password", "secret": password, "account": user}
            return render(request, "accounts/secret.html", context)
    return render(request, "accounts/user_create.html", {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@require_capability(Capability.manage_users)
def user(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Show an account and change its name and role."""
    account = selectors.user_for(user_of(request), user_id)
    if request.method == "GET":
        record(actor=request.user, action="user.view", target=account)
    initial = {"full_name": account.full_name, "role": account.role}
    form = EditUserForm(request.POST or None, initial=initial)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            services.edit_user(user=account, by=user_of(request), **form.cleaned_data)
        except UserError as error:
            status = show_error(form, error)
        else:
            messages.success(request, _("The account is changed."))
            return redirect("accounts:user", user_id=user_id)
    return _user_page(request, account, form=form, status=status)


@require_POST
@require_capability(Capability.manage_users)
def user_action(request: HttpRequest, user_id: UUID, action: str) -> HttpResponse:
    """Do what one of the buttons on an account's page says."""
    if action not in ACTIONS:
        raise Http404
    account = selectors.user_for(user_of(request), user_id)
    act, said = ACTIONS[action]
    try:
        act(user=account, by=user_of(request))
    except UserError as error:
        form = Form({})
        return _user_page(request, account, problem=form, status=show_error(form, error))
    messages.success(request, str(said))
    return redirect("accounts:user", user_id=user_id)


@never_cache
@require_POST
@require_capability(Capability.manage_users)
def user_password(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Give an account a one-time password and show it once."""
    account = selectors.user_for(user_of(request), user_id)
    password = services.reset_password(user=account, by=user_of(request))
    context = {"kind": "password", "secret": password, "account": account}
    return render(request, "accounts/secret.html", context)


@never_cache
@require_POST
@require_capability(Capability.manage_users)
def user_token_create(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Make a token for an account and show it once."""
    account = selectors.user_for(user_of(request), user_id)
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _user_page(request, account, token_form=form, status=422)
    secret = tokens.create_token(user=account, by=user_of(request), **form.cleaned_data)[1]
    context = {"kind": "token", "secret": secret, "account": account}
    return render(request, "accounts/secret.html", context)


@require_POST
@require_capability(Capability.manage_users)
def user_token_revoke(request: HttpRequest, user_id: UUID, token_id: UUID) -> HttpResponse:
    """Revoke a token of an account."""
    account = selectors.user_for(user_of(request), user_id)
    tokens.revoke_token(token=selectors.token_of(account, token_id), by=user_of(request))
    messages.success(request, _("The token is revoked."))
    return redirect("accounts:user", user_id=user_id)


def _user_page(
    request: HttpRequest, account: User, *, status: int = 200, **parts: object
) -> HttpResponse:
    """Render an account's page."""
    context = {
        "account": account,
        "form": EditUserForm(initial={"full_name": account.full_name, "role": account.role}),
        "factor": selectors.second_factor_state(account),
        "waits_until": selectors.waits_until(account),
        "tokens": selectors.tokens_of(account),
        "token_form": TokenForm(),
        **parts,
    }
    return render(request, "accounts/user.html", context, status=status)
