"""Pages that wait for a result: held until it is there, as long as threads are left for others."""

from __future__ import annotations

import threading
from uuid import UUID

from accounts.models import User

from . import selectors

# Shorter than a page's own patience (5 s) and than a web process takes to end.
HELD_S = 4.0
# Of the 16 threads of a web process; who finds no room is answered at once and asks again.
HELD_AT_ONCE = 8
# A page whose question is held need not wait before it asks.
FIRST_MS = 0

_room = threading.BoundedSemaphore(HELD_AT_ONCE)


def hold_until_final(user: User, analysis_id: UUID) -> bool:
    """Wait until the analysis is final, at most HELD_S; returns whether there was room to wait.

    raises: NotFound, before any waiting
    """
    selectors.analysis_alone_for(user, analysis_id)
    if not _room.acquire(blocking=False):
        return False
    try:
        selectors.wait_until_final(analysis_id, HELD_S)
    finally:
        _room.release()
    return True
