import html
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import second_factor
from accounts.models import Authenticator, RecoveryCode, User
from audit.models import Entry
from tests.accounts.factories import PASSWORD, client_of, make_administrator, make_physician
from xraydx.errors import UserError

pytestmark = pytest.mark.django_db


def code_for(user: User, steps: int = 0) -> str:
    """Return what the account's app shows, some steps of 30 s away from now."""
    device = Authenticator.objects.get(user=user)
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits)
    import time

    totp.time = time.time() + 30 * steps
    return f"{totp.token():06d}"


def enrol(user: User) -> list[str]:
    second_factor.begin_enrolment(user)
    return second_factor.confirm_enrolment(user=user, code=code_for(user, -1))


def password_step(client: Client, user: User) -> str:
    data = {"username": user.username, "password": PASSWORD, "next": "/profile/"}
    return client.post("/sign-in/", data)["Location"]


def test_setting_it_up_shows_a_qr_code_without_script_or_style() -> None:
    page = client_of(make_physician()).get("/profile/second-factor/").content.decode()
    svg = page[page.index("<svg") : page.index("</svg>")]
    assert "<path" in svg
    assert "style" not in svg
    assert "script" not in svg


def test_the_first_code_switches_it_on_and_shows_recovery_codes_once() -> None:
    user = make_physician()
    client = client_of(user)
    client.get("/profile/second-factor/")
    assert client.post("/profile/second-factor/", {"code": "000000"}).status_code == 422
    page = client.post("/profile/second-factor/", {"code": code_for(user)})
    codes = page.context["codes"]
    assert len(set(codes)) == 10
    assert all(code in page.content.decode() for code in codes)
    stored = RecoveryCode.objects.filter(user=user).values_list("digest", flat=True)
    assert not set(stored) & set(codes)
    assert Entry.objects.filter(action="second_factor.enrol", actor_id=user.pk).exists()


def test_with_it_a_password_alone_opens_nothing(client: Client) -> None:
    user = make_physician()
    enrol(user)
    assert password_step(client, user) == "/sign-in/code/?next=%2Fprofile%2F"
    assert client.get("/profile/").status_code == 302
    wrong = client.post("/sign-in/code/", {"code": "000000"})
    assert wrong.status_code == 422
    right = client.post("/sign-in/code/", {"code": code_for(user), "next": "/profile/"})
    assert right["Location"] == "/profile/"
    assert client.get("/profile/").status_code == 200


def test_a_code_counts_once() -> None:
    user = make_physician()
    enrol(user)
    code = code_for(user)
    assert second_factor.check_code(user, code) == "totp"
    assert second_factor.check_code(user, code) is None


def test_a_recovery_code_counts_once_however_it_is_typed(client: Client) -> None:
    user = make_physician()
    codes = enrol(user)
    password_step(client, user)
    typed = codes[0].upper().replace("-", " ")
    assert client.post("/sign-in/code/", {"code": typed}).status_code == 302
    assert second_factor.codes_left(user) == 9
    assert second_factor.check_code(user, codes[0]) is None
    assert second_factor.check_code(make_physician(), codes[1]) is None


def test_guessing_codes_is_slowed_down(client: Client) -> None:
    user = make_physician()
    enrol(user)
    password_step(client, user)
    answers = [client.post("/sign-in/code/", {"code": "000000"}).status_code for _ in range(5)]
    assert answers == [422, 422, 422, 422, 429]
    assert client.post("/sign-in/code/", {"code": code_for(user)}).status_code == 429


def test_the_proof_of_a_password_is_gone_once_the_password_changes(client: Client) -> None:
    user = make_physician()
    enrol(user)
    password_step(client, user)
    user.set_password("another-long-secret-7")
    user.save()
    response = client.post("/sign-in/code/", {"code": code_for(user)})
    assert response["Location"] == "/sign-in/"


def test_the_proof_of_a_password_lasts_five_minutes(client: Client) -> None:
    user = make_physician()
    enrol(user)
    password_step(client, user)
    session = client.session
    session["sign_in_pending"] = {**session["sign_in_pending"], "at": 0}
    session.save()
    response = client.post("/sign-in/code/", {"code": code_for(user)})
    assert response["Location"] == "/sign-in/"


def test_new_recovery_codes_and_switching_off_take_the_password() -> None:
    user = make_physician()
    old = enrol(user)
    client = client_of(user)
    for action in ("codes", "remove"):
        wrong = client.post(f"/profile/second-factor/{action}/", {"current": "wrong"})
        assert wrong.status_code == 422
    assert second_factor.has_second_factor(user)
    page = client.post("/profile/second-factor/codes/", {"current": PASSWORD})
    assert len(page.context["codes"]) == 10
    assert second_factor.check_code(user, old[0]) is None
    client.post("/profile/second-factor/remove/", {"current": PASSWORD})
    assert not second_factor.has_second_factor(user)
    assert not RecoveryCode.objects.filter(user=user).exists()


def test_where_the_site_demands_it_nobody_switches_their_own_off(settings: object) -> None:
    user = make_physician()
    enrol(user)
    settings.SECOND_FACTOR_ROLES = ["physician"]  # type: ignore[attr-defined]
    response = client_of(user).post("/profile/second-factor/remove/", {"current": PASSWORD})
    assert response.status_code == 409
    assert second_factor.has_second_factor(user)


def test_an_administrator_removes_a_lost_one() -> None:
    user, administrator = make_physician(), make_administrator()
    enrol(user)
    client_of(administrator).post(f"/users/{user.pk}/reset-second-factor/")
    assert not second_factor.has_second_factor(user)
    entry = Entry.objects.get(action="second_factor.remove")
    assert (entry.actor_id, entry.target_id) == (administrator.pk, str(user.pk))


def test_the_apps_secret_lies_encrypted_in_the_database_and_opens_for_its_account_only() -> None:
    owner, other = make_physician(), make_physician()
    device = second_factor.begin_enrolment(owner)
    assert device.bin_key.hex() not in Authenticator.objects.values_list("key", flat=True)
    Authenticator.objects.filter(pk=device.pk).update(user=other)
    with pytest.raises(UserError, match="secret_unreadable"):
        _ = Authenticator.objects.get(pk=device.pk).bin_key


def test_under_another_key_the_code_is_no_answer_but_a_recovery_code_is(settings: Any) -> None:
    user = make_physician()
    codes = enrol(user)
    code = code_for(user)
    settings.FACTOR_KEY = "another key"
    client = Client()
    step = password_step(client, user)
    answer = client.post(step, {"code": code})
    assert answer.status_code == 503
    assert "Use a recovery code" in answer.content.decode()
    assert client.post(step, {"code": codes[0]}).status_code == 302


def test_secrets_that_stood_in_clear_are_encrypted_by_the_migration() -> None:
    user = make_physician()
    plain = bytes(range(20))
    row = TOTPDevice.objects.create(user=user, key=plain.hex(), confirmed=True)
    migration = import_module("accounts.migrations.0002_sealed_authenticators")
    for _ in range(2):
        migration.seal_all(apps, None)
        assert Authenticator.objects.get(pk=row.pk).bin_key == plain
    migration.unseal_all(apps, None)
    assert TOTPDevice.objects.get(pk=row.pk).key == plain.hex()


def test_while_it_is_set_up_no_recovery_code_is_offered() -> None:
    page = client_of(make_physician()).post("/profile/second-factor/", {"code": "000000"})
    text = page.content.decode()
    assert "The phone's clock must be right" in html.unescape(text)
    assert "recovery code" not in text.lower()
    assert 'inputmode="numeric"' in text
