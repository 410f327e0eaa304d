"""Addresses of accounts."""

from django.urls import path, re_path

from accounts import openapi  # noqa: F401 - names the tokens' scheme to the OpenAPI document
from accounts.views import language, profile, sign_in, users

app_name = "accounts"

urlpatterns = [
    path("sign-in/", sign_in.sign_in, name="sign_in"),
    path("sign-in/code/", sign_in.sign_in_code, name="sign_in_code"),
    path("sign-out/", sign_in.sign_out, name="sign_out"),
    path("language/", language.language, name="language"),
    path("profile/", profile.profile, name="profile"),
    path("profile/password/", profile.password, name="password"),
    path("profile/second-factor/", profile.enrol, name="second_factor"),
    re_path(
        r"^profile/second-factor/(?P<action>codes|remove)/$",
        profile.second_factor_change,
        name="second_factor_change",
    ),
    path("profile/end-sessions/", profile.end_sessions, name="end_sessions"),
    path("profile/tokens/", profile.token_create, name="token_create"),
    path("profile/tokens/<uuid:token_id>/revoke/", profile.token_revoke, name="token_revoke"),
    path("users/", users.users, name="users"),
    path("users/new/", users.user_create, name="user_create"),
    path("users/<uuid:user_id>/", users.user, name="user"),
    path("users/<uuid:user_id>/password/", users.user_password, name="user_password"),
    path("users/<uuid:user_id>/tokens/", users.user_token_create, name="user_token_create"),
    path(
        "users/<uuid:user_id>/tokens/<uuid:token_id>/revoke/",
        users.user_token_revoke,
        name="user_token_revoke",
    ),
    path("users/<uuid:user_id>/<slug:action>/", users.user_action, name="user_action"),
]
