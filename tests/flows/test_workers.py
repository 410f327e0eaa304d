"""Real Celery workers on a real Redis and a real PostgreSQL, and what befalls them."""

import base64
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.management import call_command
from django.db import close_old_connections, connection

from diagnosis import queue, tasks
from diagnosis.models import Analysis, Finding, WorkerHeartbeat
from tests.diagnosis.factories import make_analysis, make_outcome
from xraydx.embedded import Servers

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.flow]

ROOT = Path(__file__).parents[2]
STARTED_S = 60
# What Celery logs of a bell.
HEARD = "Task diagnosis.ring["


def wait_for(true: Callable[[], Any], seconds: float = 20.0) -> float:
    """Look until it is true, at most so long; returns the seconds that it took."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < seconds, "it never came true"
        time.sleep(0.05)
    return time.monotonic() - begun


def statuses() -> list[str]:
    close_old_connections()
    return list(Analysis.objects.values_list("status", flat=True))


class Crew:
    """The processes that a test started."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.environment = {
            **environment,
            "READING_FOLDER": str(folder),
        }
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *names: str, **environment: str) -> None:
        """Start workers and wait until they beat."""
        for name in names:
            self._start(
                name,
                f"-m celery -A tests.flows.celery_reading worker --pool solo --loglevel INFO "
                f"--without-mingle --without-gossip -n {name}@here",
                environment,
            )
        beating = WorkerHeartbeat.objects.filter(state="idle")
        wait_for(lambda: beating.count() >= len(names), STARTED_S)

    def start_clock(self) -> None:
        """Start the reaper's clock."""
        self._start("clock", "manage.py run_clock", {})

    def _start(self, name: str, arguments: str, environment: dict[str, str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *arguments.split()],
                cwd=ROOT,
                env={**self.environment, **environment},
                stdout=log,
                stderr=log,
            )

    def kill(self, name: str) -> None:
        """What `kill -9` does."""
        self.processes[name].kill()
        self.processes[name].wait(10)

    def hold(self) -> None:
        """Let readings that begin now wait."""
        (self.folder / "wait").touch()

    def go_on(self) -> None:
        """Let readings end."""
        (self.folder / "wait").unlink(missing_ok=True)

    def begun(self) -> list[str]:
        """Which attempt was begun by whom."""
        return sorted(file.name for file in self.folder.glob("begun-*"))

    def log(self, name: str) -> str:
        """What the process wrote."""
        return (self.folder / f"{name}.log").read_text()

    def end(self) -> None:
        """End all that still run."""
        self.go_on()
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


@pytest.fixture
def crew(live_environment: dict[str, str], tmp_path: Path, settings: Any) -> Iterator[Crew]:
    """Processes on the test database, ended after the test."""
    folder = tmp_path / "crew"
    folder.mkdir()
    tasks._broker_rests_until = 0.0
    crew = Crew(live_environment, folder)
    yield crew
    crew.end()
    connection.close()


def assert_one_result() -> None:
    """Exactly one analysis, read once."""
    assert statuses() == ["succeeded"]
    assert Finding.objects.count() == len(make_outcome().findings)


def test_a_bell_reaches_every_worker_and_the_film_is_read_at_once(crew: Crew) -> None:
    crew.start("w1", "w2")
    time.sleep(1.0)  # both have looked and now wait for a bell
    make_analysis()
    begun = time.monotonic()
    tasks.ring_bell()
    tasks.ring_bell()
    wait_for(lambda: statuses() == ["succeeded"])
    assert time.monotonic() - begun < tasks.POLL_S - 1
    wait_for(lambda: all(HEARD in crew.log(name) for name in ("w1", "w2")))
    assert_one_result()
    assert len(crew.begun()) == 1


def test_a_film_whose_worker_was_killed_is_read_once_by_another(crew: Crew) -> None:
    crew.start("w1", "w2")
    crew.hold()
    make_analysis()
    tasks.ring_bell()
    wait_for(lambda: len(crew.begun()) == 1)
    victim = crew.begun()[0].rpartition("-")[2]
    crew.kill(victim)
    killed_at = time.monotonic()
    call_command("release_worker", victim)
    wait_for(lambda: len(crew.begun()) == 2)
    crew.go_on()
    wait_for(lambda: statuses() == ["succeeded"])
    assert time.monotonic() - killed_at < 30
    assert_one_result()
    row = Analysis.objects.get()
    assert (row.attempt, row.released) == (2, 1)


def test_without_a_supervisor_the_clock_notices_the_dead_worker(crew: Crew) -> None:
    crew.start("w1", "w2")
    crew.start_clock()
    crew.hold()
    make_analysis()
    tasks.ring_bell()
    wait_for(lambda: len(crew.begun()) == 1)
    time.sleep(2)
    crew.kill(crew.begun()[0].rpartition("-")[2])
    crew.go_on()
    took = wait_for(lambda: statuses() == ["succeeded"], 35)
    assert took < 30
    assert_one_result()


def test_with_redis_dead_films_are_read_and_with_redis_back_bells_ring(
    crew: Crew, servers: Servers
) -> None:
    crew.start("w1")
    servers.redis.stop()
    try:
        make_analysis()
        tasks.ring_bell()
        wait_for(lambda: statuses() == ["succeeded"])
    finally:
        servers.redis.start()
    assert_one_result()
    tasks._broker_rests_until = 0.0
    before = crew.log("w1").count(HEARD)

    def heard() -> bool:
        tasks.ring_bell()
        return crew.log("w1").count(HEARD) > before

    wait_for(heard, 30)


def test_a_worker_that_starts_without_redis_reads(crew: Crew, servers: Servers) -> None:
    servers.redis.stop()
    try:
        crew.start("w1")
        make_analysis()
        wait_for(lambda: statuses() == ["succeeded"])
    finally:
        servers.redis.start()
    assert_one_result()


def test_a_restart_of_postgresql_in_mid_reading_loses_nothing(crew: Crew, servers: Servers) -> None:
    crew.start("w1")
    crew.hold()
    make_analysis()
    tasks.ring_bell()
    wait_for(lambda: len(crew.begun()) == 1)
    connection.close()
    servers.postgres.stop()
    crew.go_on()
    time.sleep(1.5)
    servers.postgres.start()
    wait_for(lambda: statuses() == ["succeeded"], 30)
    assert_one_result()
    make_analysis()
    wait_for(lambda: statuses() == ["succeeded", "succeeded"], 30)


def test_a_cancel_in_mid_reading_leaves_no_result(crew: Crew) -> None:
    crew.start("w1")
    crew.hold()
    analysis = make_analysis()
    tasks.ring_bell()
    wait_for(lambda: len(crew.begun()) == 1)
    assert queue.cancel(analysis.id)
    crew.go_on()
    wait_for(lambda: WorkerHeartbeat.objects.filter(state="idle").exists())
    assert statuses() == ["cancelled"]
    assert not Finding.objects.exists()


def test_a_worker_for_urgent_films_leaves_calm_ones_to_others(crew: Crew) -> None:
    from tests.diagnosis.factories import make_film
    from tests.patients.factories import make_visit

    crew.start("urgent", XRAYDX_URGENT_ONLY="1")
    calm = make_analysis(make_film(make_visit(triage_level=4)))
    urgent = make_analysis(make_film(make_visit(triage_level=1)))
    tasks.ring_bell()
    wait_for(lambda: Analysis.objects.get(id=urgent.id).status == "succeeded")
    time.sleep(0.5)
    assert Analysis.objects.get(id=calm.id).status == "queued"


def test_a_worker_told_to_end_finishes_and_says_good_bye(crew: Crew) -> None:
    crew.start("w1")
    crew.hold()
    make_analysis()
    tasks.ring_bell()
    wait_for(lambda: len(crew.begun()) == 1)
    crew.processes["w1"].send_signal(signal.SIGTERM)
    time.sleep(0.5)
    crew.go_on()
    crew.processes["w1"].wait(10)
    assert_one_result()
    assert not WorkerHeartbeat.objects.exists()


def test_a_bell_says_nothing(crew: Crew, servers: Servers) -> None:
    listener = redis.Redis(unix_socket_path=str(servers.redis.socket), decode_responses=True)
    heard = listener.pubsub()
    heard.psubscribe("*")
    analysis = make_analysis()
    tasks.ring_bell()
    messages: list[dict[str, Any]] = []

    def received() -> bool:
        message = heard.get_message(ignore_subscribe_messages=True, timeout=0.2)
        if message:
            messages.append(json.loads(message["data"]))
        return bool(messages)

    wait_for(received)
    arguments, keywords, _ = json.loads(base64.b64decode(messages[0]["body"]))
    assert (arguments, keywords) == ([], {})
    kept = json.dumps(messages) + str(listener.keys("*"))
    film = analysis.film
    for secret in (analysis.id, film.id, film.visit_id, film.patient_id, film.patient.mrn):
        assert str(secret) not in kept
    listener.close()
