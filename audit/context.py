"""From where the running code was asked: the part of an entry that no caller passes along."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

WEB = "web"
API = "api"
COMMAND = "command"
WORKER = "worker"


@dataclass(frozen=True)
class AuditContext:
    """Address, way in and request id of what runs now."""

    via: str = COMMAND
    address: str | None = None
    request_id: str = ""
    deferred: list[Callable[[], object]] | None = field(default=None, compare=False)


_current: ContextVar[AuditContext] = ContextVar("audit_context", default=AuditContext())  # noqa: B039


def current() -> AuditContext:
    """Return the context of the running request, job or command."""
    return _current.get()


@contextmanager
def bind(context: AuditContext) -> Iterator[AuditContext]:
    """Let every entry recorded inside the block carry this context."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)
