"""Signing in and out."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import sign_in as steps
from accounts.forms import CodeForm, SignInForm
from accounts.sessions import ENDED, open_to_owing
from accounts.views.errors import show_error
from xraydx.errors import UserError


@login_not_required
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for user name and password."""
    if request.user.is_authenticated:
        return _onward(request)
    form = SignInForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            proved = steps.prove_password(**form.cleaned_data)
        except UserError as error:
            status = show_error(form, error)
        else:
            if proved.needs_code:
                steps.remember_proof(request, proved.user)
                return redirect(_with_next(request, "accounts:sign_in_code"))
            steps.complete(request, proved.user)
            return _onward(request)
    context = {"form": form, "next": _next(request), "ended": request.session.get(ENDED)}
    return render(request, "accounts/sign_in.html", context, status=status)


@login_not_required
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_code(request: HttpRequest) -> HttpResponse:
    """Ask for the code of the second factor."""
    user = steps.proved_user(request)
    if user is None:
        return redirect(_with_next(request, "accounts:sign_in"))
    form = CodeForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            steps.prove_code(user=user, code=form.cleaned_data["code"])
        except UserError as error:
            status = show_error(form, error)
        else:
            steps.complete(request, user)
            return _onward(request)
    context = {"form": form, "next": _next(request)}
    return render(request, "accounts/sign_in_code.html", context, status=status)


@login_not_required
@open_to_owing
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Close this session."""
    steps.sign_out(request)
    return redirect("accounts:sign_in")


def _next(request: HttpRequest) -> str:
    """Return where to go after signing in: an address of ours, "" where none was asked for."""
    url = request.POST.get("next", request.GET.get("next", ""))
    ours = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if ours else ""


def _onward(request: HttpRequest) -> HttpResponseRedirect:
    """Go on to the page that was asked for."""
    return HttpResponseRedirect(_next(request) or resolve_url(settings.LOGIN_REDIRECT_URL))


def _with_next(request: HttpRequest, name: str) -> str:
    """Return the address of a page that passes on where to go afterwards."""
    url = _next(request)
    return resolve_url(name) + (f"?{urlencode({'next': url})}" if url else "")
