"""Who may open what: one row per address, method and case, tried as every role.

Each application lists its rows in tests/access/<application>_rows.py under ROWS. A row that
speaks of something owned or visible to some only comes once per case ("own", "a colleague's",
"in the ER", "left long ago"), with its own `open_to`.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.models import User
from accounts.permissions import ROLE_CAPABILITIES, Capability
from accounts.roles import Role

ALL_ROLES = frozenset(Role)


def with_capability(*capabilities: Capability | str) -> frozenset[Role]:
    """Return the roles that have all of the capabilities."""
    wanted = {Capability(one) for one in capabilities}
    return frozenset(role for role, has in ROLE_CAPABILITIES.items() if wanted <= has)


@dataclass(frozen=True)
class Call:
    """What one call needs: arguments of the address, body, headers, content type."""

    kwargs: dict[str, Any] = field(default_factory=dict)
    data: Any = None
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str | None = None


def no_arguments(actor: User | None) -> Call:
    """Build a call of an address without arguments."""
    return Call()


@dataclass(frozen=True)
class Row:
    """One address, one method, one case.

    name: of the address, "accounts:profile"; open_to: the roles that get `status`; all others
    get `refused`. build makes what the call needs in the database; actor is the account that
    will call, None for nobody. Rows whose name starts with "api:" or with api=True are called
    with a token that has both scopes, the others in a browser.
    """

    name: str
    method: str
    open_to: Collection[Role]
    build: Callable[[User | None], Call] = no_arguments
    case: str = ""
    status: int = 200
    refused: int = 403
    anonymous: int | None = None
    api: bool = False
    scope: str | None = None

    @property
    def expected_of_nobody(self) -> int:
        """Return the status without account or token: to the sign-in page, or 401."""
        return self.anonymous if self.anonymous is not None else (401 if self.api else 302)

    @property
    def needed_scope(self) -> str:
        """Return the scope of an API call."""
        return self.scope or ("read" if self.method.upper() in {"GET", "HEAD"} else "write")

    def __str__(self) -> str:
        return " ".join(part for part in (self.method.upper(), self.name, self.case) if part)

    def expected_of(self, role: Role) -> int:
        """Return the status that this role must get."""
        return self.status if role in self.open_to else self.refused

    def address(self, call: Call) -> str:
        """Return the path and query of the call."""
        return reverse(self.name, kwargs=call.kwargs) + call.query


def every_name() -> set[str]:
    """Return the names of all addresses, "" for one without a name."""
    return set(_names(get_resolver(), ""))


def _names(resolver: URLResolver, prefix: str) -> list[str]:
    """Walk the patterns down."""
    found: list[str] = []
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            found.append(f"{prefix}{pattern.name}" if pattern.name else "")
        else:
            space = f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix
            found += _names(pattern, space)
    return found
