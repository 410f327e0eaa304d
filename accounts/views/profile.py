"""What people see and change about their own account."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import second_factor, selectors, services, sign_in, tokens
from accounts.forms import CodeForm, CurrentPasswordForm, PasswordForm, TokenForm
from accounts.permissions import Capability, require_capability
from accounts.requests import user_of
from accounts.sessions import open_to_owing
from accounts.views.errors import show_error
from xraydx.errors import UserError


def _profile_page(
    request: HttpRequest, token_form: Form | None = None, status: int = 200
) -> HttpResponse:
    user = user_of(request)
    context = {
        "factor": selectors.second_factor_state(user),
        "tokens": selectors.tokens_of(user),
        "token_form": token_form or TokenForm(),
    }
    return render(request, "accounts/profile.html", context, status=status)


@require_safe
def profile(request: HttpRequest) -> HttpResponse:
    """Show account, second factor, sessions and tokens."""
    return _profile_page(request)


@open_to_owing
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    """Change the password; a one-time one must be."""
    form = PasswordForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            sign_in.confirm_password(user=user_of(request), password=form.cleaned_data["current"])
            services.change_password(user=user_of(request), password=form.cleaned_data["password"])
        except UserError as error:
            status = show_error(form, error)
        else:
            update_session_auth_hash(request, user_of(request))
            messages.success(request, _("Your password is changed. Other sessions are closed."))
            return redirect("accounts:profile")
    return render(request, "accounts/password.html", {"form": form}, status=status)


@open_to_owing
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def enrol(request: HttpRequest) -> HttpResponse:
    """Show the QR code, and switch the second factor on with the first code."""
    user = user_of(request)
    device = second_factor.begin_enrolment(user)
    form = CodeForm(request.POST or None)
    # Here no recovery code will do, so a phone shows its digits.
    form.fields["code"].widget.attrs["inputmode"] = "numeric"
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            codes = second_factor.confirm_enrolment(user=user, code=form.cleaned_data["code"])
        except UserError as error:
            status = show_error(form, error)
        else:
            return _show_codes(request, codes)
    context = {"form": form, "qr": second_factor.qr_code(device),
               "key": second_factor.readable_key(device)}  # fmt: skip
    return render(request, "accounts/enrol.html", context, status=status)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def second_factor_change(request: HttpRequest, action: str) -> HttpResponse:
    """Renew the recovery codes or remove the second factor, after the password once more."""
    user = user_of(request)
    form = CurrentPasswordForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            sign_in.confirm_password(user=user, password=form.cleaned_data["current"])
            if action == "codes":
                return _show_codes(request, second_factor.renew_codes(user=user))
            second_factor.remove_own(user=user)
        except UserError as error:
            status = show_error(form, error)
        else:
            messages.success(request, _("The second factor is switched off."))
            return redirect("accounts:profile")
    context = {"form": form, "action": action}
    return render(request, "accounts/second_factor_change.html", context, status=status)


@require_POST
def end_sessions(request: HttpRequest) -> HttpResponse:
    """Sign out everywhere, here too."""
    sign_in.end_sessions(user=user_of(request), by=user_of(request))
    sign_in.sign_out(request)
    return redirect("accounts:sign_in")


@never_cache
@require_POST
@require_capability(Capability.create_token)
def token_create(request: HttpRequest) -> HttpResponse:
    """Make a token of one's own and show it once."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _profile_page(request, form, 422)
    user = user_of(request)
    secret = tokens.create_token(user=user, by=user, **form.cleaned_data)[1]
    return render(request, "accounts/secret.html", {"kind": "token", "secret": secret})


@require_POST
def token_revoke(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """Revoke a token of one's own."""
    user = user_of(request)
    tokens.revoke_token(token=selectors.token_of(user, token_id), by=user)
    messages.success(request, _("The token is revoked."))
    return redirect("accounts:profile")


def _show_codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    """Show recovery codes, once."""
    return render(request, "accounts/codes.html", {"codes": codes})
