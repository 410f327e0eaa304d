"""Choosing the language of the pages."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from accounts import services
from accounts.language import check_language, remember_language
from accounts.models import User
from accounts.sessions import open_to_owing


@login_not_required
@open_to_owing
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Speak another language from now on, and show the page again that it was chosen on."""
    chosen = request.POST.get("language", "")
    check_language(chosen)
    if isinstance(request.user, User):
        services.choose_language(user=request.user, language=chosen)
    page = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(
        page, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    response = redirect(page if ours else resolve_url(settings.LOGIN_REDIRECT_URL))
    remember_language(response, chosen)
    return response
