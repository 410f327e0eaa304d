from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import ApiToken
from accounts.tokens import create_token, token_for
from audit.models import Entry
from tests.accounts.factories import client_of, make_integration, make_physician, make_token
from xraydx.errors import UserError

pytestmark = pytest.mark.django_db


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("create_api_token", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_prints_the_token_and_nothing_else() -> None:
    user = make_integration(username="ris")
    printed = command("RIS", "--scope", "read", "--scope", "write", "--days", "30")
    secret = printed.removesuffix("\n")
    assert "\n" not in secret
    token = token_for(secret)
    assert token is not None
    assert (token.user, token.scopes) == (user, ["read", "write"])
    assert timedelta(days=29) < token.expires_at - timezone.now() <= timedelta(days=30)
    assert Entry.objects.get(action="token.create").via == "command"


def test_the_command_says_what_is_wrong() -> None:
    with pytest.raises(CommandError, match="no account 'ghost'"):
        command("ghost", "--scope", "read")
    make_integration(username="ris")
    with pytest.raises(CommandError, match="between 1 and 3650 days"):
        command("ris", "--scope", "read", "--days", "0")
    with pytest.raises(CommandError):
        command("ris")
    with pytest.raises(CommandError):
        command("ris", "--scope", "everything")


def test_the_secret_is_stored_nowhere() -> None:
    token, secret = make_token()
    row = ApiToken.objects.filter(pk=token.pk).values().get()
    assert secret not in str(row)
    assert secret[len(token.hint) :] not in str(row)
    assert not Entry.objects.filter(detail__icontains=secret).exists()


def test_expired_revoked_and_closed_tokens_open_nothing() -> None:
    token, secret = make_token()
    assert token_for(secret) == token
    assert token_for(secret[:-1]) is None
    ApiToken.objects.update(expires_at=timezone.now())
    assert token_for(secret) is None
    ApiToken.objects.update(expires_at=timezone.now() + timedelta(days=1))
    ApiToken.objects.update(revoked_at=timezone.now())
    assert token_for(secret) is None
    ApiToken.objects.update(revoked_at=None)
    user = token.user
    user.is_active = False
    user.save()
    assert token_for(secret) is None


@pytest.mark.parametrize("scopes", [[], ["admin"], ["read", "everything"]])
def test_unknown_scopes_are_refused(scopes: list[str]) -> None:
    with pytest.raises(UserError, match="token_scopes_unknown"):
        create_token(user=make_integration(), scopes=scopes, by=None)


def test_people_make_see_and_revoke_their_own() -> None:
    user = make_physician()
    client = client_of(user)
    data = {"name": "My viewer", "scopes": ["read"], "days": "90"}
    page = client.post("/profile/tokens/", data)
    secret = page.context["secret"]
    token = token_for(secret)
    assert token is not None
    assert token.created_by == user
    listed = client.get("/profile/").content.decode()
    assert "My viewer" in listed
    assert secret not in listed
    client.post(f"/profile/tokens/{token.pk}/revoke/")
    assert token_for(secret) is None
    client.post(f"/profile/tokens/{token.pk}/revoke/")
    assert Entry.objects.filter(action="token.revoke").count() == 1
