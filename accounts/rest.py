"""How a program is recognised, what its token lets it do, and how often."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.models import ApiToken, Scope, User
from accounts.tokens import note_use, token_for
from audit.services import record, record_refusal
from xraydx.errors import Forbidden

READS = "read"
UPLOADS = "upload"


class BearerAuthentication(BaseAuthentication):
    """Authorization: Bearer, as in RFC 6750."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return account and token; None without the header.

        raises: AuthenticationFailed for a token that is unknown, expired or revoked.
        """
        scheme, _, secret = get_authorization_header(request).decode("latin-1").partition(" ")
        if not scheme:
            return None
        token = token_for(secret.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            record(actor=None, action="token.refused")
            raise AuthenticationFailed(code="not_authenticated")
        note_use(token)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Make the refusal a 401 that says how to do better."""
        return 'Bearer realm="xraydx"'


def scope_for(request: Request, view: Any) -> str:
    """Return the scope that a call needs: read where nothing changes, a search by POST included.

    A view may say otherwise with required_scopes = {"POST": "read"}.
    """
    method = request.method or "GET"
    own = getattr(view, "required_scopes", {})
    if method in own:
        return str(own[method])
    reads = method in {"GET", "HEAD", "OPTIONS"} or request.path.endswith("/search/")
    return Scope.READ.value if reads else Scope.WRITE.value


class HasScope(BasePermission):
    """Lets a call pass whose token has the scope; the role is asked by service and selector."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Tell whether a token is there; raise Forbidden where it lacks the scope."""
        token = request.auth
        if not isinstance(token, ApiToken):
            return False
        scope = scope_for(request, view)
        if scope not in token.scopes:
            record_refusal(actor=request.user, reason=f"scope.{scope}", target=token)
            raise Forbidden("scope_missing")
        return True


class TokenRateThrottle(BaseThrottle):
    """Counts the calls of a token per minute in PostgreSQL, uploads apart from all others."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the call and tell whether the minute still has room for it."""
        token = request.auth
        if not isinstance(token, ApiToken):
            return True
        upload = request.method == "POST" and (request.content_type or "").startswith("multipart/")
        kind = UPLOADS if upload else READS
        limit = settings.API_UPLOADS_PER_MINUTE if upload else settings.API_READS_PER_MINUTE
        return count_call(token, kind) <= limit

    def wait(self) -> float:
        """Return the seconds until the next minute starts."""
        return timedelta(minutes=1).total_seconds() - timezone.now().timestamp() % 60


def count_call(token: ApiToken, kind: str) -> int:
    """Add a call to the running minute and return how many it has now: one statement, no race."""
    minute = int(timezone.now().timestamp() // 60)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO accounts_tokenrate AS rate (token_id, kind, minute, calls)
            VALUES (%s, %s, %s, 1)
            ON CONFLICT (token_id, kind) DO UPDATE SET
                calls = CASE WHEN rate.minute = excluded.minute THEN rate.calls + 1 ELSE 1 END,
                minute = excluded.minute
            RETURNING calls
            """,
            [token.pk, kind, minute],
        )
        row = cursor.fetchone()
    return int(row[0])
