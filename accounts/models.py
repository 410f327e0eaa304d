"""Accounts, what proves that somebody is their holder, and what their programs hold."""

import secrets
from typing import Any, ClassVar
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import get_random_string, salted_hmac
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.permissions import ROLE_CAPABILITIES, may
from accounts.roles import Role
from accounts.sealing import seal, unseal

# As long as SHA-1 gives, which authenticator apps expect (RFC 4226, section 4).
AUTHENTICATOR_BYTES = 20


def new_session_salt() -> str:
    """Return a fresh value for User.session_salt."""
    return get_random_string(16)


class UserManager(BaseUserManager["User"]):
    """Makes accounts; user names are kept in lower case so that none is there twice."""

    def create_user(self, username: str, password: str | None = None, **fields: Any) -> "User":
        """Save a new account; without a password nobody can sign in with it."""
        user = self.model(username=self.model.normalize_username(username), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return the account of this user name, however it was typed."""
        return self.get(username=self.model.normalize_username(username or ""))


class User(AbstractBaseUser):
    """Somebody, or a program, that uses the platform."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    username = models.CharField(_("user name"), max_length=64)
    full_name = models.CharField(_("full name"), max_length=120, blank=True)
    role = models.CharField(_("role"), max_length=16, choices=Role.choices)
    is_active = models.BooleanField(_("active"), default=True)
    must_change_password = models.BooleanField(default=False)
    one_time_until = models.DateTimeField(null=True, blank=True)
    password_changed_at = models.DateTimeField(default=timezone.now)
    session_salt = models.CharField(max_length=16, default=new_session_salt)
    preferences = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["role"]

    class Meta:
        ordering = ["username"]
        constraints = [
            models.UniqueConstraint(fields=["username"], name="accounts_user_username_once"),
            models.CheckConstraint(
                condition=models.Q(username=Lower("username")), name="accounts_user_username_lower"
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="accounts_user_role_known"
            ),
        ]

    def __str__(self) -> str:
        return self.full_name or self.username

    @classmethod
    def normalize_username(cls, username: str) -> str:
        """Return the user name as it is stored."""
        return str(super().normalize_username(username.strip())).lower()

    @property
    def can(self) -> dict[str, bool]:
        """Return the role's capabilities for templates: {% if user.can.upload_film %}."""
        if not self.is_active:
            return {}
        return {capability.value: True for capability in ROLE_CAPABILITIES[Role(self.role)]}

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Answer Django's question about "app.capability" from the table of roles."""
        return may(self, perm.rpartition(".")[2])

    def get_session_auth_hash(self) -> str:
        """Return what a session must match; another password or salt ends them all."""
        return self._session_hash(None)

    def get_session_auth_fallback_hash(self) -> Any:
        """Yield the same for the retired secret keys."""
        for secret in settings.SECRET_KEY_FALLBACKS:
            yield self._session_hash(secret)

    def _session_hash(self, secret: str | None) -> str:
        value = f"{self.session_salt}:{self.password}"
        return salted_hmac("accounts.session", value, secret=secret, algorithm="sha256").hexdigest()


class RecoveryCode(models.Model):
    """A code that stands in once for a lost second factor; only its digest is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "digest"], name="accounts_recovery_code_once"),
        ]

    def __str__(self) -> str:
        return f"recovery code {self.pk}"


class Authenticator(TOTPDevice):
    """The secret that an account shares with an authenticator app, encrypted in its row."""

    class Meta:
        proxy = True

    @classmethod
    def make(cls, user: User) -> "Authenticator":
        """Store a fresh secret that waits for its first code."""
        sealed = seal(secrets.token_bytes(AUTHENTICATOR_BYTES), owner=str(user.pk))
        return cls.objects.create(user=user, name="totp", confirmed=False, key=sealed.hex())

    @property
    def bin_key(self) -> bytes:
        """The secret itself. raises: UserError("secret_unreadable")"""
        return unseal(bytes.fromhex(self.key), owner=str(self.user_id))


class SignInCounter(models.Model):
    """Failed sign-ins for one account name from one address.

    account is a keyed digest of the name that was typed: unknown names count too, and
    people type passwords into the wrong field.
    """

    account = models.CharField(max_length=64)
    address = models.CharField(max_length=45, blank=True)
    failures = models.PositiveIntegerField(default=0)
    failed_at = models.DateTimeField(default=timezone.now)
    locked_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "address"], name="accounts_sign_in_counter_once"
            ),
        ]
        indexes = [models.Index(fields=["failed_at"], name="accounts_sign_in_failed_at")]

    def __str__(self) -> str:
        return f"sign-in counter {self.pk}"


class Scope(models.TextChoices):
    READ = "read", pgettext_lazy("scope", "Read")
    WRITE = "write", pgettext_lazy("scope", "Write")


class ApiToken(models.Model):
    """What a program shows in place of a password; only its digest is kept."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(_("what it is for"), max_length=64, blank=True)
    hint = models.CharField(max_length=8)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"token {self.hint}…"

    @property
    def is_valid(self) -> bool:
        """Tell whether the token opens anything now."""
        return self.revoked_at is None and self.expires_at > timezone.now()


class TokenRate(models.Model):
    """Calls of one token in the running minute; one row per token and kind of call."""

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="rates")
    kind = models.CharField(max_length=16)
    minute = models.BigIntegerField()
    calls = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["token", "kind"], name="accounts_token_rate_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} calls of a token"
