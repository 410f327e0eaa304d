from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts.models import User
from audit.models import Entry
from tests.accounts.factories import PASSWORD, client_of, make_integration, make_physician

pytestmark = pytest.mark.django_db


def sign_in(client: Client, username: str, password: str = PASSWORD, **more: str) -> int:
    data = {"username": username, "password": password, **more}
    return client.post("/sign-in/", data).status_code


def failures() -> list[tuple[str, str]]:
    found = Entry.objects.filter(action="sign_in.failed").order_by("id")
    return [(entry.reason, entry.target_id) for entry in found]


def test_the_right_password_opens_a_session_and_is_recorded(client: Client) -> None:
    user = make_physician()
    assert sign_in(client, user.username.upper()) == 302
    assert client.get("/profile/").status_code == 200
    entry = Entry.objects.get(action="sign_in.succeed")
    assert (entry.actor_id, entry.via, entry.address) == (user.pk, "web", "127.0.0.1")
    assert entry.request_id


def test_unknown_names_wrong_passwords_and_closed_accounts_look_the_same(client: Client) -> None:
    user = make_physician()
    closed = make_physician(is_active=False)
    program = make_integration()
    pages = set()
    for username, password in (
        ("nobody.here", PASSWORD),
        (user.username, "wrong"),
        (closed.username, PASSWORD),
        (program.username, PASSWORD),
    ):
        page = client.post("/sign-in/", {"username": username, "password": password})
        assert page.status_code == 422
        pages.add(page.context["form"].non_field_errors()[0])
    assert len(pages) == 1
    assert failures() == [
        ("unknown_account", ""),
        ("password", str(user.pk)),
        ("inactive", str(closed.pk)),
        ("password", str(program.pk)),
    ]


def test_what_was_typed_is_never_recorded(client: Client) -> None:
    sign_in(client, "Secret-Typed-Here")
    entry = Entry.objects.get(action="sign_in.failed")
    assert "secret" not in str(list(Entry.objects.filter(pk=entry.pk).values())).lower()


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/profile/password/", "/profile/password/"),
        ("https://evil.example/", "home"),
        ("//evil.example/", "home"),
        ("javascript:alert(1)", "home"),
    ],
)
def test_signing_in_leads_on_to_our_own_pages_only(
    client: Client, wanted: str, reached: str
) -> None:
    from django.shortcuts import resolve_url

    user = make_physician()
    data = {"username": user.username, "password": PASSWORD, "next": wanted}
    response = client.post("/sign-in/", data)
    home = resolve_url(settings.LOGIN_REDIRECT_URL)
    assert response["Location"] == (home if reached == "home" else reached)


def test_a_session_from_before_signing_in_gets_a_new_key(client: Client) -> None:
    user = make_physician()
    client.get("/sign-in/")
    session = client.session
    session["left"] = "by somebody"
    session.save()
    before = session.session_key
    sign_in(client, user.username)
    assert client.session.session_key != before


def test_a_one_time_password_must_be_changed_before_anything_else(client: Client) -> None:
    user = make_physician(must_change_password=True)
    sign_in(client, user.username)
    assert client.get("/profile/")["Location"] == "/profile/password/"
    page = client.post(
        "/profile/password/",
        {"current": PASSWORD, "password": "quartz-lamp-river-9", "again": "quartz-lamp-river-9"},
    )
    assert page.status_code == 302
    assert client.get("/profile/").status_code == 200
    assert sign_in(Client(), user.username, "quartz-lamp-river-9") == 302


def test_a_one_time_password_opens_nothing_after_its_time(client: Client) -> None:
    past = timezone.now() - timedelta(minutes=1)
    user = make_physician(must_change_password=True, one_time_until=past)
    assert sign_in(client, user.username) == 422
    assert client.get("/profile/").status_code == 302
    assert failures() == [("one_time_password_expired", str(user.pk))]


def test_signing_out_needs_a_post_and_ends_the_session(client: Client) -> None:
    user = make_physician()
    sign_in(client, user.username)
    assert client.get("/sign-out/").status_code == 405
    client.post("/sign-out/")
    assert client.get("/profile/").status_code == 302
    assert Entry.objects.filter(action="sign_in.end", actor_id=user.pk).exists()


def test_signing_out_everywhere_ends_the_sessions_on_other_machines() -> None:
    user = make_physician()
    here, there = client_of(user), client_of(user)
    assert here.post("/profile/end-sessions/")["Location"] == "/sign-in/"
    assert here.get("/profile/").status_code == 302
    assert there.get("/profile/").status_code == 302


def test_a_changed_password_ends_the_other_sessions_only() -> None:
    user = make_physician()
    here, there = client_of(user), client_of(user)
    new = "quartz-lamp-river-9"
    here.post("/profile/password/", {"current": PASSWORD, "password": new, "again": new})
    assert here.get("/profile/").status_code == 200
    assert there.get("/profile/").status_code == 302


def test_changing_the_password_takes_the_current_one_at_the_same_pace() -> None:
    user = make_physician()
    client = client_of(user)
    data = {"current": "wrong", "password": "quartz-lamp-river-9", "again": "quartz-lamp-river-9"}
    codes = [client.post("/profile/password/", data).status_code for _ in range(5)]
    assert codes == [422, 422, 422, 422, 429]
    assert User.objects.get(pk=user.pk).check_password(PASSWORD)


def test_a_deactivated_account_is_out_at_its_next_request() -> None:
    user = make_physician()
    client = client_of(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert client.get("/profile/").status_code == 302
