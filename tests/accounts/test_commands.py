from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from accounts.roles import Role

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue().removesuffix("\n")


def test_the_first_administrator_gets_a_random_password_once() -> None:
    password = run("bootstrap_admin")
    assert len(password) >= 16
    assert run("bootstrap_admin") == ""
    user = User.objects.get(username="admin")
    assert (user.role, user.must_change_password) == (Role.ADMINISTRATOR, False)
    browser = Client()
    data = {"username": "admin", "password": password, "next": "/users/"}
    assert browser.post("/sign-in/", data)["Location"] == "/users/"
    assert browser.get("/users/").status_code == 200


def test_accounts_are_made_on_the_command_line_too() -> None:
    password = run("create_user", "Ara.Kim", "--role", "nurse", "--full-name", "Ara Kim")
    user = User.objects.get(username="ara.kim")
    assert user.check_password(password)
    assert user.must_change_password
    assert run("create_user", "ris", "--role", "integration") == ""
    with pytest.raises(CommandError, match="There is an account"):
        run("create_user", "RIS", "--role", "integration")
    with pytest.raises(CommandError, match="no spaces"):
        run("create_user", "two words", "--role", "nurse")
