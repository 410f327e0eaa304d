from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.sessions import SEEN, STARTED
from audit.models import Entry
from tests.accounts.factories import client_of, make_nurse

pytestmark = pytest.mark.django_db


def age(client: Client, *, started_s: float = 0, seen_s: float = 0) -> None:
    """Move the session's clocks back."""
    session = client.session
    now = timezone.now().timestamp()
    session[STARTED], session[SEEN] = now - started_s, now - seen_s
    session.save()


@pytest.fixture
def nurse_client() -> Client:
    client = client_of(make_nurse())
    client.get("/profile/")
    return client


def test_an_idle_session_ends_and_says_why(nurse_client: Client, settings: Any) -> None:
    age(nurse_client, started_s=7200, seen_s=settings.SESSION_IDLE_MINUTES * 60 + 1)
    response = nurse_client.get("/profile/", follow=True)
    assert response.redirect_chain == [("/sign-in/?next=/profile/", 302)]
    assert "nothing happened" in response.content.decode()
    assert Entry.objects.get(action="sign_in.expire").reason == "idle"


def test_a_busy_session_ends_after_its_full_time(nurse_client: Client, settings: Any) -> None:
    age(nurse_client, started_s=settings.SESSION_COOKIE_AGE + 1)
    assert nurse_client.get("/profile/").status_code == 302
    assert Entry.objects.get(action="sign_in.expire").reason == "absolute"


def test_a_request_restarts_the_idle_clock(nurse_client: Client, settings: Any) -> None:
    age(nurse_client, started_s=7200, seen_s=settings.SESSION_IDLE_MINUTES * 60 - 60)
    assert nurse_client.get("/profile/").status_code == 200
    assert timezone.now().timestamp() - nurse_client.session[SEEN] < 60


def test_a_partial_sends_the_whole_page_to_the_sign_in(nurse_client: Client) -> None:
    age(nurse_client, started_s=10**6)
    response = nurse_client.get("/profile/", headers={"HX-Request": "true"})
    assert response.status_code == 204
    assert response["HX-Redirect"] == "/sign-in/"


def test_pages_behind_the_sign_in_are_kept_by_no_browser(nurse_client: Client) -> None:
    assert nurse_client.get("/profile/")["Cache-Control"] == "private, no-store"


def test_a_role_that_owes_a_second_factor_is_sent_to_set_it_up(settings: Any) -> None:
    settings.SECOND_FACTOR_ROLES = ["nurse"]
    client = client_of(make_nurse())
    assert client.get("/profile/")["Location"] == "/profile/second-factor/"
    assert client.get("/profile/second-factor/").status_code == 200
    assert client.post("/sign-out/").status_code == 302
