"""The whole of it as a hospital's program meets it: `make run`, a token, a film, a result."""

import contextlib
import os
import signal
from collections.abc import Iterator

import psutil
import pytest

from tests.flows.program import Program, make_token
from tests.flows.supervised import Installation, installation, wait_for

pytestmark = [pytest.mark.flow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def running() -> Iterator[Installation]:
    with installation() as one:
        one.start()
        wait_for(lambda: one.answers("/readyz"), seconds=150)
        yield one


@pytest.fixture(scope="module")
def program(running: Installation) -> Program:
    return Program(f"http://127.0.0.1:{running.port}", make_token(running))


def test_a_film_gets_its_result_through_rest(program: Program) -> None:
    status, found = program.send_sample(program.open_visit(), 11, Prefer="wait=30")
    assert status == 200, found
    assert found["status"] in {"succeeded", "refused"}
    if found["status"] == "succeeded":
        assert len(found["top3"]) == 3
        assert len(found["findings"]) == 13


def test_a_film_whose_worker_was_killed_has_its_result_and_no_attempt_is_lost(
    running: Installation, program: Program
) -> None:
    visit = program.open_visit()
    waiting = [program.send_sample(visit, seed)[1]["id"] for seed in range(20, 26)]
    for pid in running.children("celery"):
        os.kill(pid, signal.SIGKILL)
    results = [program.result_of(one, seconds=90) for one in waiting]
    assert {one["status"] for one in results} <= {"succeeded", "refused"}


def test_with_redis_dead_films_are_still_read(running: Installation, program: Program) -> None:
    redis = psutil.Process(int((running.servers.redis.folder / "redis.pid").read_text()))
    # Stopped, not killed: the supervisor would start a dead one again.
    redis.suspend()
    try:
        status, found = program.send_sample(program.open_visit(), 31)
        assert status == 202, found
        assert running.answers()
        assert program.result_of(found["id"], seconds=90)["status"] in {"succeeded", "refused"}
    finally:
        # On a slow machine the supervisor has replaced the one that no longer answers.
        with contextlib.suppress(psutil.NoSuchProcess):
            redis.resume()


def test_no_value_of_a_patient_is_in_any_log(running: Installation, program: Program) -> None:
    name = "Zyxwvuts-Quortel"
    status, _ = program.send(
        "POST", "patients/", {"family_name": name, "sex": "F", "mrn": "MRN-778899"}
    )
    assert status == 201
    program.send("POST", "patients/search/", {"name": name})
    for file in (*(running.var / "logs").glob("*.log"), running.servers.postgres.log):
        text = file.read_text(errors="replace")
        assert name not in text, file
        assert "778899" not in text, file
