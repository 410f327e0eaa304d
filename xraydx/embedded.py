"""Real PostgreSQL and Redis under var/, for whoever sets no DATABASE_URL and REDIS_URL.

They are safe even when root starts them (docs/decisions/0001): a user of their own, passwords,
and folders that others can't enter. Whoever uses them holds a shared lock; the last one to let
go ends them.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from xraydx.embedded_account import (
    SOCKET_PATH_LIMIT,
    SYSTEM_PLACE,
    Account,
    ServerError,
    locked,
    make_parents,
    private_folder,
    read_json,
    server_account,
    short_name,
    write_private,
)
from xraydx.embedded_postgres import APPLICATION, OWNER, ROLES, Postgres
from xraydx.embedded_redis import Redis

__all__ = [
    "ServerError",
    "Servers",
    "addresses",
    "attached",
    "private_folder",
    "servers_needed",
    "short_name",
    "var_folder",
    "write_private",
]

ROOT = Path(__file__).resolve().parent.parent
LONGEST_SOCKET_NAME = len("/.s.PGSQL.5432")


def var_folder() -> Path:
    """The folder of everything that changes: XRAYDX_VAR, else var/ in the clone."""
    return (ROOT / os.environ.get("XRAYDX_VAR", "var")).resolve()


def servers_needed() -> bool:
    """Whether one of the two servers is ours to run."""
    return not (_is_set("DATABASE_URL") and _is_set("REDIS_URL"))


def _is_set(name: str) -> bool:
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))


@dataclass(frozen=True)
class Servers:
    """The embedded servers of one var folder."""

    var: Path
    for_tests: bool = False

    @property
    def private(self) -> Path:
        return self.var / "private"

    @cached_property
    def account(self) -> Account:
        return server_account()

    @cached_property
    def state(self) -> dict[str, str]:
        """Passwords and places, made on first use and kept in a file that only we can read."""
        private_folder(self.private)
        file = self.private / "embedded.json"
        with locked(self.private / "state.lock", fcntl.LOCK_EX):
            state = read_json(file)
            if not set(ROLES) <= set(state):
                state = {role: secrets.token_urlsafe(24) for role in ROLES}
                state |= {"place": str(self._choose_place())}
                write_private(file, json.dumps(state, indent=1))
        return state

    def _choose_place(self) -> Path:
        """var itself, or a system folder where the database's user can't reach var."""
        make_parents(self.var)
        if self.account.is_self or self.account.can_enter(self.var):
            return self.var
        place = SYSTEM_PLACE / short_name(self.var)
        make_parents(place)
        if not self.account.can_enter(place):
            raise ServerError(
                f"The database's user {self.account.name} can reach neither {self.var} nor "
                f"{place}.\n  Open one of them for passing through (chmod o+x on its parents), "
                "set XRAYDX_VAR\n  to a folder that it can reach, or run xraydx as an ordinary "
                "user."
            )
        return place

    @property
    def place(self) -> Path:
        return Path(self.state["place"])

    @property
    def sockets(self) -> Path:
        """A folder whose name is short enough for a socket, whatever the clone is called."""
        near = self.place / "run"
        plain = not set(str(near)) & set("'\",\\ ?#%")
        if plain and len(os.fsencode(near)) + LONGEST_SOCKET_NAME <= SOCKET_PATH_LIMIT:
            return near
        if os.geteuid() == 0 and Path("/run").is_dir():
            return Path("/run") / f"xraydx-{short_name(self.var)}"
        # The sticky bit and the owner's check in private_folder make this place safe.
        return Path("/tmp") / f"xraydx-{os.geteuid()}-{short_name(self.var)}"  # noqa: S108

    @cached_property
    def postgres(self) -> Postgres:
        return Postgres(
            self.place / "postgres", self.sockets, self.account, self.state, self.for_tests
        )

    @cached_property
    def redis(self) -> Redis:
        return Redis(self.place / "redis", self.sockets, self.account)

    @property
    def database_url(self) -> str:
        return self.postgres.url(APPLICATION)

    @property
    def owner_url(self) -> str:
        return self.postgres.url(OWNER)

    @property
    def redis_url(self) -> str:
        return self.redis.url

    def ours(self) -> list[Postgres | Redis]:
        """The servers that no setting points elsewhere."""
        found: list[Postgres | Redis] = []
        if not _is_set("DATABASE_URL") or self.for_tests:
            found.append(self.postgres)
        if not _is_set("REDIS_URL") or self.for_tests:
            found.append(self.redis)
        return found

    def start(self) -> None:
        """Start what does not run, side by side; one process at a time does this."""
        servers = self.ours()
        private_folder(self.sockets, self.account)
        with locked(self.private / "start.lock", fcntl.LOCK_EX), ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda server: server.start(), servers))

    def stop(self, *, seconds: int = 8) -> None:
        """End both, each within twice the given seconds."""
        servers = self.ours()
        with locked(self.private / "start.lock", fcntl.LOCK_EX), ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda server: server.stop(seconds=seconds), servers))

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Have the servers run; the last user to leave ends them."""
        private_folder(self.private)
        users = self.private / "users.lock"
        try:
            with locked(users, fcntl.LOCK_SH):
                self.start()
                yield
        finally:
            try:
                with locked(users, fcntl.LOCK_EX | fcntl.LOCK_NB):
                    self.stop()
            except BlockingIOError:
                pass  # somebody else still uses them


def addresses(var: Path) -> Servers:
    """Where the embedded servers of a var folder are, whether they run or not."""
    return Servers(var)


@contextmanager
def attached(*, start: bool) -> Iterator[None]:
    """Find or start the embedded servers for as long as the body runs."""
    if start and servers_needed():
        with Servers(var_folder()).in_use():
            yield
    else:
        yield
