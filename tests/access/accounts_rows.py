"""Rows of the access matrix: accounts and audit."""

from uuid import uuid4

from accounts.models import User
from tests.access.matrix import ALL_ROLES, Call, Row, with_capability
from tests.accounts.factories import PASSWORD, make_nurse, make_token

MANAGE = with_capability("manage_users")
AUDIT = with_capability("read_audit")
TOKENS = with_capability("create_token")
NEW_TOKEN = {"name": "viewer", "scopes": ["read"], "days": "30"}


def own_token(actor: User | None) -> Call:
    return Call({"token_id": make_token(actor)[0].pk})


def foreign_token(actor: User | None) -> Call:
    return Call({"token_id": make_token()[0].pk})


def somebody(actor: User | None) -> Call:
    return Call({"user_id": make_nurse().pk})


def nobody(actor: User | None) -> Call:
    return Call({"user_id": uuid4()})


def somebody_edited(actor: User | None) -> Call:
    return Call({"user_id": make_nurse().pk}, {"full_name": "Another", "role": "nurse"})


def somebody_deactivated(actor: User | None) -> Call:
    return Call({"user_id": make_nurse().pk, "action": "deactivate"})


def somebody_given_a_token(actor: User | None) -> Call:
    return Call({"user_id": make_nurse().pk}, NEW_TOKEN)


def token_of_somebody(actor: User | None) -> Call:
    token, _ = make_token(make_nurse())
    return Call({"user_id": token.user_id, "token_id": token.pk})


def sign_in_data(actor: User | None) -> Call:
    return Call(data={"username": make_nurse().username, "password": PASSWORD})


def new_user(actor: User | None) -> Call:
    return Call(data={"username": "new.nurse", "full_name": "New Nurse", "role": "nurse"})


def new_token(actor: User | None) -> Call:
    return Call(data=NEW_TOKEN)


def language(actor: User | None) -> Call:
    return Call(data={"language": "en"})


ROWS = [
    Row("accounts:sign_in", "get", ALL_ROLES, status=302, anonymous=200),
    Row("accounts:sign_in", "post", ALL_ROLES, sign_in_data, status=302, anonymous=302),
    Row("accounts:sign_in_code", "get", ALL_ROLES, status=302, anonymous=302),
    Row("accounts:sign_in_code", "post", ALL_ROLES, status=302, anonymous=302),
    Row("accounts:sign_out", "post", ALL_ROLES, status=302, anonymous=302),
    Row("accounts:language", "post", ALL_ROLES, language, status=302, anonymous=302),
    Row("accounts:profile", "get", ALL_ROLES),
    Row("accounts:password", "get", ALL_ROLES),
    Row("accounts:password", "post", ALL_ROLES),
    Row("accounts:second_factor", "get", ALL_ROLES),
    Row("accounts:second_factor", "post", ALL_ROLES),
    Row("accounts:second_factor_change", "get", ALL_ROLES, lambda _: Call({"action": "codes"})),
    Row("accounts:second_factor_change", "post", ALL_ROLES, lambda _: Call({"action": "remove"})),
    Row("accounts:end_sessions", "post", ALL_ROLES, status=302),
    Row("accounts:token_create", "post", TOKENS, new_token),
    Row("accounts:token_revoke", "post", ALL_ROLES, own_token, "own", status=302),
    Row("accounts:token_revoke", "post", (), foreign_token, "another's", refused=404),
    Row("accounts:users", "get", MANAGE),
    Row("accounts:users", "post", MANAGE, lambda _: Call(data={"name": "nurse"}), status=302),
    Row("accounts:user_create", "get", MANAGE),
    Row("accounts:user_create", "post", MANAGE, new_user),
    Row("accounts:user", "get", MANAGE, somebody),
    Row("accounts:user", "get", MANAGE, nobody, "who does not exist", status=404),
    Row("accounts:user", "post", MANAGE, somebody_edited, status=302),
    Row("accounts:user_action", "post", MANAGE, somebody_deactivated, status=302),
    Row("accounts:user_password", "post", MANAGE, somebody),
    Row("accounts:user_token_create", "post", MANAGE, somebody_given_a_token),
    Row("accounts:user_token_revoke", "post", MANAGE, token_of_somebody, status=302),
    Row("audit:list", "get", AUDIT),
    Row("audit:filter", "post", AUDIT, status=302),
    Row("audit:export", "post", AUDIT),
]
