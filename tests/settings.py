"""The platform's settings with a fast password hasher and a database that may be lost."""

import os

# The tests make and drop tables, so they connect as the owner; `app_role_url` is the other role.
os.environ.setdefault("XRAYDX_DATABASE_ROLE", "owner")

from xraydx.settings import *  # noqa: F403

TESTING = True
# Threads of a live server would keep connections that the test database's end waits for.
DATABASES["default"]["CONN_MAX_AGE"] = 0  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
HTTPS = False
SECURE_SSL_REDIRECT = False
SECURE_HSTS_SECONDS = 0
SESSION_COOKIE_SECURE = False
CSRF_COOKIE_SECURE = False
