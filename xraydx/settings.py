"""Settings of the platform, each from one environment variable.

Every variable is described in docs/settings.md; a test compares the two.
"""

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from kombu.common import Broadcast

from xraydx import embedded

BASE_DIR = Path(__file__).resolve().parent.parent


def read_text(name: str, default: str = "") -> str:
    """A text, or the contents of the file that NAME_FILE names."""
    file = os.environ.get(f"{name}_FILE")
    if file and name not in os.environ:
        return Path(file).read_text(encoding="utf-8").strip()
    return os.environ.get(name, default)


def read_flag(name: str, default: bool) -> bool:
    """A yes or no: 1, true, yes, on; 0, false, no, off."""
    raw = read_text(name).strip().lower()
    if raw in {"1", "true", "yes", "on"}:
        return True
    if raw in {"0", "false", "no", "off"}:
        return False
    if raw:
        raise ImproperlyConfigured(f"{name} must be 1 or 0, not {raw!r}")
    return default


def read_int(name: str, default: int, *, low: int, high: int) -> int:
    """A whole number within bounds."""
    raw = read_text(name)
    try:
        value = int(raw) if raw else default
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {raw!r}") from error
    if not low <= value <= high:
        raise ImproperlyConfigured(f"{name} must lie in {low}..{high}, not {value}")
    return value


def read_list(name: str, default: str = "") -> list[str]:
    """Values between commas."""
    return [part.strip() for part in read_text(name, default).split(",") if part.strip()]


def read_path(name: str, default: Path) -> Path:
    """A folder or file; a relative one counts from the repository's root."""
    return (BASE_DIR / read_text(name, str(default))).resolve()


def read_secret(name: str, file: Path) -> str:
    """A secret, else the one kept in a file of our own, made on first use."""
    value = read_text(name)
    if value:
        return value
    if not file.exists():
        embedded.private_folder(file.parent)
        embedded.write_private(file, secrets.token_urlsafe(50))
    return file.read_text(encoding="utf-8").strip()


def parse_database(url: str) -> dict[str, Any]:
    """Turn postgresql://user:password@host:port/name?host=/socket/folder into Django's form."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ImproperlyConfigured("DATABASE_URL must start with postgresql://")
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": query.pop("port", str(parts.port or "")),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5, **query},
    }


def parse_storage(place: str) -> dict[str, Any]:
    """A folder, or s3://bucket/prefix?endpoint=https://…&region=…, as Django's storage."""
    parts = urlsplit(place)
    if parts.scheme != "s3":
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {
                "location": str(BASE_DIR / place),
                "file_permissions_mode": 0o600,
                "directory_permissions_mode": 0o700,
            },
        }
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": parts.netloc,
            "location": parts.path.strip("/"),
            "endpoint_url": query.get("endpoint"),
            "region_name": query.get("region"),
            "access_key": read_text("XRAYDX_S3_KEY") or None,
            "secret_key": read_text("XRAYDX_S3_SECRET") or None,
            "file_overwrite": True,
            "default_acl": None,
        },
    }


# Where things are
VAR = read_path("XRAYDX_VAR", BASE_DIR / "var")
SHARED = read_path("XRAYDX_SHARED", BASE_DIR / ".." / "shared" / "data")
RELEASE = read_text("XRAYDX_RELEASE")
TESTING = False

# Security
DEBUG = read_flag("DEBUG", False)
SECRET_KEY = read_secret("SECRET_KEY", VAR / "private" / "secret_key")
SECRET_KEY_FALLBACKS = read_list("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = read_list("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = read_list("CSRF_TRUSTED_ORIGINS")
TRUSTED_PROXIES = read_list("TRUSTED_PROXIES")
HTTPS = read_flag("XRAYDX_HTTPS", not DEBUG)
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# Cookies are kept apart by name, because they ignore the port of a second clone.
COOKIE_SUFFIX = embedded.short_name(VAR)
SESSION_COOKIE_NAME = f"xraydx_session_{COOKIE_SUFFIX}"
CSRF_COOKIE_NAME = f"xraydx_csrf_{COOKIE_SUFFIX}"
CSRF_COOKIE_SECURE = HTTPS
CSRF_FAILURE_VIEW = "xraydx.error_pages.csrf_failure"
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = read_int("XRAYDX_SESSION_HOURS", 12, low=1, high=24 * 7) * 3600
SESSION_IDLE_MINUTES = read_int("XRAYDX_SESSION_IDLE_MINUTES", 30, low=1, high=24 * 60)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "blob:", "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

INSTALLED_APPS = [
    "xraydx.apps.XraydxConfig",
    "audit",
    "accounts",
    "policy",
    "patients",
    "diagnosis",
    "worklist",
    "quality",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "xraydx.middleware.ForwardedMiddleware",
    "xraydx.middleware.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "audit.middleware.AuditContextMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.AccountMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "xraydx.middleware.ErrorMiddleware",
]

ROOT_URLCONF = "xraydx.urls"
WSGI_APPLICATION = "xraydx.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "policy.triage.context",
            ],
        },
    }
]

# Database: the web and the workers use a role that owns no table; migrations use the owner.
_servers = embedded.addresses(VAR)
DATABASE_URL = read_text("DATABASE_URL") or _servers.database_url
DATABASE_OWNER_URL = (
    read_text("DATABASE_OWNER_URL") or read_text("DATABASE_URL") or _servers.owner_url
)
DATABASE_APP_ROLE = parse_database(DATABASE_URL)["USER"]
_as_owner = read_text("XRAYDX_DATABASE_ROLE", "app") == "owner"
DATABASES = {"default": parse_database(DATABASE_OWNER_URL if _as_owner else DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Redis carries bells only; nothing else may depend on it.
REDIS_URL = read_text("REDIS_URL") or _servers.redis_url
CELERY_BROKER_URL = REDIS_URL
ANALYSIS_SOFT_SECONDS = read_int("XRAYDX_ANALYSIS_SOFT_SECONDS", 54, low=5, high=3600)
ANALYSIS_HARD_SECONDS = read_int("XRAYDX_ANALYSIS_HARD_SECONDS", 60, low=6, high=4000)
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": int(1.1 * ANALYSIS_HARD_SECONDS),
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "global_keyprefix": "xraydx:",
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "bells"
# Every worker hears every bell, so that a busy or reserved one never swallows it.
CELERY_TASK_QUEUES = (Broadcast("bells"),)
CELERY_TASK_ROUTES = {"diagnosis.ring": {"queue": "bells", "exchange": "bells"}}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_TIMEZONE = "UTC"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# Films and static files
STORAGE = read_text("XRAYDX_STORAGE", str(VAR / "films"))
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Set where collectstatic has run (containers); elsewhere files come from their sources.
_collected = bool(read_text("XRAYDX_STATIC_ROOT"))
STATIC_ROOT = read_path("XRAYDX_STATIC_ROOT", VAR / "static") if _collected else None
WHITENOISE_USE_FINDERS = not _collected
WHITENOISE_AUTOREFRESH = DEBUG
STORAGES = {
    "default": parse_storage(STORAGE),
    "staticfiles": {
        "BACKEND": "xraydx.static.ManifestStorage"
        if _collected
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
UPLOAD_MAX_BYTES = read_int("XRAYDX_UPLOAD_MAX_MB", 64, low=1, high=1024) * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
FILE_UPLOAD_PERMISSIONS = 0o600

# People
AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "worklist:list"
LOGOUT_REDIRECT_URL = "accounts:sign_in"
AUTHENTICATION_BACKENDS = ["accounts.backends.PasswordBackend"]
_validation = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": f"{_validation}.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["username", "full_name"]},
    },
    {"NAME": f"{_validation}.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "accounts.passwords.CommonPasswordValidator"},
    {"NAME": "accounts.passwords.BreachedPasswordValidator"},
]
BREACHED_PASSWORDS = read_text("XRAYDX_BREACHED_PASSWORDS")
SECOND_FACTOR_ROLES = read_list("XRAYDX_SECOND_FACTOR_ROLES")
# Encrypts what authenticator apps share with accounts; another one makes all of them unreadable.
FACTOR_KEY = read_secret("XRAYDX_FACTOR_KEY", VAR / "private" / "factor_key")
OTP_TOTP_ISSUER = "xraydx"
# Our own lock-out slows guesses at the code too, and never lasts over 15 minutes.
OTP_TOTP_THROTTLE_FACTOR = 0
VISIBLE_HOURS = read_int("XRAYDX_VISIBLE_HOURS", 72, low=0, high=24 * 365)
BREAK_GLASS_HOURS = read_int("XRAYDX_BREAK_GLASS_HOURS", 12, low=1, high=168)

# Workers
URGENT_ONLY = read_flag("XRAYDX_URGENT_ONLY", False)
BACKEND = read_text("XRAYDX_BACKEND", "openvino")

# REST
API_READS_PER_MINUTE = read_int("XRAYDX_API_READS_PER_MINUTE", 3000, low=1, high=10**6)
QUICK_READS_PER_HOUR = read_int("XRAYDX_QUICK_READS_PER_HOUR", 60, low=1, high=10**6)
API_UPLOADS_PER_MINUTE = read_int("XRAYDX_API_UPLOADS_PER_MINUTE", 300, low=1, high=10**6)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.rest.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.rest.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.rest.TokenRateThrottle"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "xraydx.api.problem_response",
    "DEFAULT_PAGINATION_CLASS": "xraydx.api.CreatedCursorPagination",
    "PAGE_SIZE": 50,
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "xraydx",
    "DESCRIPTION": "Register patients, upload chest radiographs, read findings.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/api/v1/",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "xraydx.api_schema.document_problems",
    ],
    "ENUM_NAME_OVERRIDES": {
        "AnalysisStatus": "diagnosis.states.Status",
        "VisitStatus": "patients.serializers.VISIT_STATUSES",
        "ListStatus": "patients.criteria.STATUSES",
    },
}

# Language and time
LANGUAGE_CODE = "en"
# By their own names. One more stands here once its catalogue is complete: half a language is
# worse than none.
LANGUAGES = [("en", "English"), ("ko", "한국어"), ("vi", "Tiếng Việt")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["xraydx.formats"]
LANGUAGE_COOKIE_NAME = f"xraydx_language_{COOKIE_SUFFIX}"
LANGUAGE_COOKIE_AGE = 31_536_000
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SECURE = HTTPS
USE_I18N = True
USE_TZ = True
TIME_ZONE = read_text("XRAYDX_TIME_ZONE", "UTC")

# Watching
METRICS_TOKEN = read_text("XRAYDX_METRICS_TOKEN")
LOG_FORMAT = read_text("XRAYDX_LOG", "text" if DEBUG else "json")
LOG_LEVEL = read_text("XRAYDX_LOG_LEVEL", "INFO").upper()
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "xraydx.logs.JsonFormatter"},
        "text": {"()": "xraydx.logs.TextFormatter"},
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT},
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # Its records hold the request's path and arguments; ours are written by the middleware.
        "django.request": {"level": "CRITICAL"},
        "django.server": {"level": "WARNING"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        # Names every header and value of a request at DEBUG.
        "botocore": {"level": "WARNING"},
        "pydicom": {"level": "ERROR"},
    },
}
