from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import ApiToken, TokenRate
from accounts.rest import count_call
from audit.models import Entry
from tests.accounts.factories import api_client, client_of, make_integration, make_nurse, make_token

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.accounts.rest_urls")]
THINGS = "/api/v1/things/"
JSON = "application/json"


def test_a_token_acts_for_its_account() -> None:
    user = make_integration()
    assert api_client(user).get(THINGS).json() == {"username": user.username}


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer xdx_unknown", "Basic YTpi", "Token x", "Bearer \xff"]
)
def test_without_a_valid_token_the_answer_is_401_in_problem_json(header: str) -> None:
    headers = {"Authorization": header} if header else {}
    response = Client(headers=headers).get(THINGS)
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "not_authenticated"


def test_a_refused_token_is_recorded() -> None:
    Client(headers={"Authorization": "Bearer xdx_guess"}).get(THINGS)
    entry = Entry.objects.get(action="token.refused")
    assert (entry.via, entry.address) == ("api", "127.0.0.1")


def test_a_session_opens_no_api() -> None:
    assert client_of(make_nurse()).get(THINGS).status_code == 401


def test_scopes_divide_reading_from_writing() -> None:
    user = make_integration()
    reader, writer = api_client(user, "read"), api_client(user, "write")
    assert reader.get(THINGS).status_code == 200
    assert reader.post(THINGS, {}, content_type=JSON).status_code == 403
    assert reader.post(f"{THINGS}search/", {}, content_type=JSON).status_code == 200
    assert writer.post(THINGS, {}, content_type=JSON).status_code == 200
    assert writer.get(THINGS).status_code == 403
    refused = Entry.objects.filter(action="access.refused").order_by("id")
    assert [entry.reason for entry in refused] == ["scope.write", "scope.read"]
    assert {entry.actor_id for entry in refused} == {user.pk}


def test_the_last_use_is_kept_to_the_minute() -> None:
    token, secret = make_token()
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    client.get(THINGS)
    first = ApiToken.objects.get(pk=token.pk).last_used_at
    assert first is not None
    client.get(THINGS)
    assert ApiToken.objects.get(pk=token.pk).last_used_at == first
    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    client.get(THINGS)
    last = ApiToken.objects.get(pk=token.pk).last_used_at
    assert last is not None
    assert last > first


def test_a_token_that_calls_too_often_waits_for_the_next_minute(settings: Any) -> None:
    settings.API_READS_PER_MINUTE = 2
    secret = make_token()[1]
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    answers = [client.get(THINGS) for _ in range(6)]
    assert [answer.status_code for answer in answers[:2]] == [200, 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert refused[0].json()["code"] == "throttled"
    assert 1 <= int(refused[0]["Retry-After"]) <= 61
    TokenRate.objects.update(minute=0)
    assert client.get(THINGS).status_code == 200


def test_uploads_have_a_budget_of_their_own(settings: Any) -> None:
    settings.API_UPLOADS_PER_MINUTE = 1
    client = api_client()
    answers = [client.post(THINGS, {"part": "of a form"}).status_code for _ in range(4)]
    assert answers[0] == 200
    assert 429 in answers
    assert client.get(THINGS).status_code == 200


def test_each_token_counts_for_itself() -> None:
    one, other = make_token()[0], make_token()[0]
    assert [count_call(one, "read") for _ in range(3)] == [1, 2, 3]
    assert count_call(other, "read") == 1
    assert count_call(one, "upload") == 1


@pytest.mark.django_db(transaction=True)
def test_calls_at_the_same_moment_are_all_counted() -> None:
    token = make_token()[0]

    def call(_: int) -> int:
        try:
            return count_call(token, "read")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(call, range(40)))
    # The minute may turn over once on the way: then two runs of numbers, both without a gap.
    second = max(0, 40 - max(counts))
    assert sorted(counts) == sorted([*range(1, max(counts) + 1), *range(1, second + 1)])
