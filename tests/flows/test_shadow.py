"""A release that the site runs silently, under `make run`: without a further command."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.flows.program import Program, make_token
from tests.flows.supervised import ROOT, Installation, installation, wait_for
from tests.ml.tiny import build_release
from xraydx.embedded_postgres import OWNER

pytestmark = [pytest.mark.flow, pytest.mark.timeout(300)]
CHOOSE = """
from accounts.models import User
from policy.services import choose_shadow
from policy.selectors import present
admin = User.objects.get(username="admin")
choose_shadow(by=admin, release={release!r}, version=present().version)
"""


def choose(one: Installation, release: str, **more: str) -> None:
    """Choose the silent release as the page does; "" ends it."""
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c"]
    subprocess.run(
        [*command, CHOOSE.format(release=release)],
        cwd=ROOT, env=one.environment(**more), check=True, capture_output=True,
    )  # fmt: skip


def silent_readings(one: Installation) -> list[tuple[str, str]]:
    with psycopg.connect(one.servers.postgres.url(OWNER)) as connection:
        return connection.execute(
            "SELECT s.release, a.release FROM quality_shadowreading s"
            " JOIN diagnosis_analysis a ON a.id = s.analysis_id"
        ).fetchall()


def hurry(pid: int) -> None:
    """Let it have its turn where the tests' machine is busy; only root may."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, 0))


def memory_mib(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss / 2**20)


def test_a_chosen_release_reads_beside_the_active_one_and_yields_to_all(tmp_path: Path) -> None:
    weights = build_release(tmp_path / "weights", name="1")
    build_release(tmp_path / "weights", name="2")
    here = {"XRAYDX_WEIGHTS": str(weights)}
    with installation() as one:
        one.start(**here)
        wait_for(lambda: one.answers("/readyz"), seconds=120)
        wait_for(lambda: one.children("run_shadow"), seconds=30)
        [pid] = one.children("run_shadow")
        wait_for(lambda: psutil.Process(pid).nice() == 19, seconds=60)
        assert os.sched_getscheduler(pid) == os.SCHED_IDLE
        hurry(pid)
        program = Program(f"http://127.0.0.1:{one.port}", make_token(one))
        status, found = program.send_sample(program.open_visit(), 1, Prefer="wait=30")
        assert status == 200, found
        assert silent_readings(one) == []
        choose(one, "1", **here)
        wait_for(lambda: silent_readings(one), seconds=90)
        assert silent_readings(one) == [("1", "2")]
        held = memory_mib(pid)
        choose(one, "", **here)  # the same process begins anew, without networks
        wait_for(lambda: memory_mib(pid) < held - 10, seconds=60)
        wait_for(lambda: one.children("run_shadow") == [pid], seconds=10)
