from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from accounts.passwords import is_breached, is_common, readable_secret
from tests.accounts.factories import PASSWORD


@pytest.mark.parametrize(
    "password",
    ["password", "Password123!", "p4ssw0rd", "!!Letmein2026", "hospital2026", "xraydx-123456",
     "nursenursenurse", "aaaaaaaaaaaaaa", "1212121212121212", "123456789012"],
)  # fmt: skip
def test_common_passwords_are_known_in_disguise(password: str) -> None:
    assert is_common(password)


@pytest.mark.parametrize("password", [PASSWORD, "quartz-lamp-river-9", "한글로된긴비밀번호입니다"])
def test_unusual_ones_are_not_taken_for_common(password: str) -> None:
    assert not is_common(password)


def test_one_time_passwords_pass_the_rules_and_differ() -> None:
    passwords = {readable_secret() for _ in range(50)}
    assert len(passwords) == 50
    for password in passwords:
        validate_password(password)


def test_a_short_password_and_one_like_the_name_are_refused(db: None) -> None:
    from tests.accounts.factories import make_nurse

    user = make_nurse(username="evangeline.oduya")
    for password in ("tiny-frog-9", "evangeline.oduya1"):
        with pytest.raises(ValidationError):
            validate_password(password, user)


def test_every_breached_password_is_found_by_bisection(tmp_path: Path, settings: Any) -> None:
    words = [f"breached word {number}" for number in range(200)]
    digests = sorted(sha1(word.encode(), usedforsecurity=False).hexdigest() for word in words)
    file = tmp_path / "breached.txt"
    file.write_text("".join(f"{digest.upper()}:{7}\r\n" for digest in digests))
    assert all(is_breached(word, file) for word in words)
    assert not any(is_breached(f"{word}!", file) for word in words)
    settings.BREACHED_PASSWORDS = str(file)
    with pytest.raises(ValidationError) as caught:
        validate_password(words[5])
    assert "password_breached" in [error.code for error in caught.value.error_list]


def test_an_empty_collection_knows_nothing(tmp_path: Path) -> None:
    file = tmp_path / "breached.txt"
    file.touch()
    assert not is_breached("anything", file)
