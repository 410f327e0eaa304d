"""Which language somebody is spoken to in."""

from typing import Any

import pytest
from django.conf import settings as present
from django.test import Client

from accounts.models import User
from audit.models import Entry
from tests.accounts.factories import api_client, client_of, make_nurse

pytestmark = pytest.mark.django_db
KOREAN, VIETNAMESE, ENGLISH = "로그인", "Đăng nhập", "Sign in"


def heading(client: Client, address: str = "/sign-in/", **headers: str) -> str:
    page = client.get(address, headers=headers).content.decode()
    return page.partition("<h1>")[2].partition("</h1>")[0]


def choose(client: Client, language: str, page: str = "") -> Any:
    return client.post("/language/", {"language": language, "next": page})


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("ko-KR,ko;q=0.9,en;q=0.8", KOREAN),
        ("vi", VIETNAMESE),
        ("fr,en;q=0.5", ENGLISH),
        ("", ENGLISH),
    ],
)
def test_before_any_choice_the_browser_says_which(asked: str, shown: str) -> None:
    assert heading(Client(), **{"accept-language": asked}) == shown


def test_a_choice_before_the_sign_in_stays_in_the_browser() -> None:
    client = Client()
    response = choose(client, "vi", "/sign-in/")
    assert response["Location"] == "/sign-in/"
    assert response.cookies[present.LANGUAGE_COOKIE_NAME]["httponly"]
    assert heading(client, **{"accept-language": "ko"}) == VIETNAMESE


def test_the_page_names_its_language() -> None:
    client = Client()
    choose(client, "ko")
    response = client.get("/sign-in/")
    assert '<html lang="ko"' in response.content.decode()
    assert response["Content-Language"] == "ko"


def test_a_choice_goes_with_the_account_to_any_browser() -> None:
    nurse = make_nurse()
    choose(client_of(nurse), "ko")
    assert heading(client_of(nurse), "/profile/") == "프로필 및 보안"
    assert User.objects.get(pk=nurse.pk).preferences == {"language": "ko"}
    assert Entry.objects.filter(action="user.choose_language", actor_id=nurse.pk).exists()


def test_the_account_goes_before_the_browser() -> None:
    nurse = make_nurse()
    choose(client_of(nurse), "vi")
    other = client_of(nurse)
    assert "bảo mật" in heading(other, "/profile/", **{"accept-language": "ko"})


@pytest.mark.parametrize("language", ["", "fr", "ko; drop", "xx"])
def test_a_language_without_a_catalogue_is_refused(language: str) -> None:
    nurse = make_nurse()
    assert choose(client_of(nurse), language).status_code == 400
    assert User.objects.get(pk=nurse.pk).preferences == {}


def test_it_leads_back_to_pages_of_ours_only() -> None:
    assert choose(Client(), "en", "https://elsewhere.example/")["Location"].startswith("/")


def test_the_api_answers_in_the_language_asked_for_and_keeps_its_codes() -> None:
    client = api_client(make_nurse())
    address = "/api/v1/patients/00000000-0000-0000-0000-000000000000/"
    answers = {
        language: client.get(address, headers={"accept-language": language}).json()
        for language in ("en", "ko", "vi")
    }
    assert {answer["code"] for answer in answers.values()} == {"patient_not_found"}
    assert answers["en"]["title"].startswith("This patient")
    assert "환자" in answers["ko"]["title"]
    assert "Bệnh nhân" in answers["vi"]["title"]


def test_a_field_of_the_api_is_refused_in_words_of_the_language() -> None:
    client = api_client(make_nurse())
    response = client.post(
        "/api/v1/patients/",
        {"sex": "?"},
        content_type="application/json",
        headers={"accept-language": "vi"},
    )
    words = str(response.json()["errors"])
    assert "Trường" in words or "không phải" in words
    assert "This field" not in words
