from typing import Any

import pytest
from django.test import Client

from audit.models import Entry

pytestmark = pytest.mark.django_db
PROXY = "10.1.2.3"


def failed_sign_in(**meta: str) -> Entry:
    Client().post("/sign-in/", {"username": "x", "password": "y"}, **meta)
    return Entry.objects.filter(action="sign_in.failed").latest("id")


def test_a_forwarded_address_is_believed_from_a_trusted_proxy_only(settings: Any) -> None:
    claim = {"HTTP_X_FORWARDED_FOR": "203.0.113.9", "REMOTE_ADDR": PROXY}
    assert failed_sign_in(**claim).address == PROXY
    settings.TRUSTED_PROXIES = ["10.1.0.0/16"]
    assert failed_sign_in(**claim).address == "203.0.113.9"


def test_what_the_client_typed_before_the_proxy_is_hearsay(settings: Any) -> None:
    settings.TRUSTED_PROXIES = [PROXY]
    chain = "127.0.0.1, 198.51.100.4, 203.0.113.9"
    entry = failed_sign_in(HTTP_X_FORWARDED_FOR=chain, REMOTE_ADDR=PROXY)
    assert entry.address == "203.0.113.9"


@pytest.mark.parametrize("address", ["", "unix:", "not an address"])
def test_a_connection_without_an_address_is_recorded_without_one(address: str) -> None:
    assert failed_sign_in(REMOTE_ADDR=address).address is None


def test_the_request_id_is_the_one_of_the_answer() -> None:
    response = Client().post("/sign-in/", {"username": "x", "password": "y"})
    assert Entry.objects.get(action="sign_in.failed").request_id == response["X-Request-ID"]


def test_a_request_leaves_no_context_behind() -> None:
    from audit.context import current

    failed_sign_in()
    assert current().via == "command"
    assert current().address is None
