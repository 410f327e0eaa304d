from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts import lockout
from accounts.models import SignInCounter
from audit.context import AuditContext, bind
from audit.models import Entry
from tests.accounts.factories import PASSWORD, make_administrator, make_physician
from xraydx.errors import Forbidden, UserError

pytestmark = pytest.mark.django_db

ER_PROXY = AuditContext(via="web", address="10.0.0.9")
ELSEWHERE = AuditContext(via="web", address="192.0.2.7")


def fail(username: str, times: int) -> None:
    """Fail so often, as if the waits between had passed."""
    for _ in range(times):
        SignInCounter.objects.update(locked_until=None)
        lockout.begin_attempt(username)


def test_the_first_failures_cost_nothing_then_waits_double_up_to_15_minutes() -> None:
    waits = [lockout.wait_after(failures).total_seconds() for failures in range(1, 16)]
    assert waits[:3] == [0, 0, 0]
    assert waits[3:12] == [2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert set(waits[12:]) == {900}
    assert lockout.wait_after(10_000) == timedelta(minutes=15)


def test_an_attempt_during_the_wait_is_not_checked_and_does_not_prolong_it() -> None:
    with bind(ER_PROXY):
        fail("kim", 5)
        until = SignInCounter.objects.get().locked_until
        with pytest.raises(UserError) as caught:
            lockout.begin_attempt("kim")
    assert caught.value.status == 429
    assert 0 < caught.value.params["seconds"] <= 5
    assert SignInCounter.objects.get().locked_until == until


def test_no_wait_is_ever_longer_than_15_minutes() -> None:
    with bind(ER_PROXY):
        fail("kim", 40)
    until = SignInCounter.objects.get().locked_until
    assert until is not None
    assert until <= timezone.now() + timedelta(minutes=15)


def test_one_address_does_not_lock_out_the_others_behind_it() -> None:
    with bind(ER_PROXY):
        fail("kim", 20)
        lockout.begin_attempt("lee")


def test_failures_elsewhere_do_not_lock_the_holder_out_here() -> None:
    with bind(ELSEWHERE):
        fail("kim", 20)
    with bind(ER_PROXY):
        lockout.begin_attempt("kim")


def test_the_counter_knows_no_name() -> None:
    with bind(ER_PROXY):
        fail("Hunter2-typed-into-the-wrong-field", 1)
    counter = SignInCounter.objects.get()
    assert "hunter2" not in counter.account
    assert len(counter.account) == 64


def test_failures_are_forgotten_after_an_hour() -> None:
    with bind(ER_PROXY):
        fail("kim", 9)
        hours_ago = timezone.now() - timedelta(hours=2)
        SignInCounter.objects.update(failed_at=hours_ago, locked_until=None)
        lockout.begin_attempt("kim")
    assert SignInCounter.objects.get().failures == 1
    SignInCounter.objects.update(failed_at=hours_ago)
    assert lockout.forget_old_attempts() == 1


def test_an_administrator_lifts_the_wait() -> None:
    user, administrator = make_physician(), make_administrator()
    with bind(ER_PROXY):
        fail(user.username, 10)
        assert lockout.locked_until(user) is not None
        with pytest.raises(Forbidden):
            lockout.lift_lock_out(user=user, by=user)
        lockout.lift_lock_out(user=user, by=administrator)
        assert lockout.locked_until(user) is None
        lockout.begin_attempt(user.username)
    entry = Entry.objects.get(action="user.lift_lock_out")
    assert (entry.actor_id, entry.target_id) == (administrator.pk, str(user.pk))


def test_the_page_says_how_long_to_wait_and_then_lets_the_right_password_in(
    client: Client,
) -> None:
    user = make_physician()
    wrong = {"username": user.username, "password": "wrong"}
    answers = [client.post("/sign-in/", wrong) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [422, 422, 422, 422, 429]
    assert "Try again in 2 s." in answers[-1].content.decode()
    right = {"username": user.username, "password": PASSWORD}
    assert client.post("/sign-in/", right).status_code == 429
    SignInCounter.objects.update(locked_until=timezone.now())
    assert client.post("/sign-in/", right).status_code == 302
    assert not SignInCounter.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_guesses_at_once_gain_nothing() -> None:
    def guess(_: int) -> bool:
        try:
            with bind(ER_PROXY):
                lockout.begin_attempt("kim")
        except UserError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        allowed = sum(pool.map(guess, range(32)))
    assert allowed <= lockout.FREE_FAILURES + 2
