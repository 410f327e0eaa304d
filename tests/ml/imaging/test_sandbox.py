"""Helpers are limited, replaced, and never take their parent with them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.imaging import sandbox as sandbox_module
from ml.imaging.decode import DEFAULT_LIMITS, decode, read_header
from ml.imaging.radiograph import ALL_PIXELS
from ml.imaging.sandbox import JOBS_PER_HELPER, HelperStartError, Sandbox
from ml.refusal import Refusal
from tests.ml.imaging.files import (
    dicom_bytes,
    drawn_film,
    make_dataset,
    picture_bytes,
    with_elements,
)

PNG = picture_bytes(drawn_film(), "PNG")


@pytest.fixture
def sandbox():
    made = Sandbox(helpers=2)
    yield made
    made.close()


def _open(sandbox, data=PNG, **limits):
    return sandbox.open(data, limits=replace(DEFAULT_LIMITS, **limits), wanted=ALL_PIXELS)


def _pids(sandbox):
    return {helper._process.pid for helper in sandbox._all}


def test_a_helper_is_used_again(sandbox):
    _open(sandbox)
    first = _pids(sandbox)
    _open(sandbox)
    assert _pids(sandbox) == first


def test_a_helper_is_replaced_after_its_share_of_files(sandbox):
    _open(sandbox)
    first = _pids(sandbox)
    for _ in range(JOBS_PER_HELPER):
        _open(sandbox)
    assert not _pids(sandbox) & first


def test_a_killed_helper_costs_no_answer(sandbox):
    _open(sandbox)
    for pid in _pids(sandbox):
        os.kill(pid, signal.SIGKILL)
    _, film = _open(sandbox)
    assert film is not None


def test_a_file_that_needs_too_long_is_refused(sandbox):
    _open(sandbox)
    first = _pids(sandbox)
    many = b"\x09\x00\x10\x10LO\x02\x00ab" * 3_000_000
    slow = with_elements(dicom_bytes(), many)
    with pytest.raises(Refusal) as caught:
        _open(sandbox, slow, seconds=1, elements=10**9)
    assert caught.value.code == "decode_limit"
    assert not _pids(sandbox) & first


def test_a_file_that_needs_too_much_memory_is_refused(sandbox):
    noise = np.random.default_rng(1).integers(0, 255, (4000, 4000), np.uint8)
    big = picture_bytes(noise, "PNG", compress_level=0)
    with pytest.raises(Refusal) as caught:
        _open(sandbox, big, memory_bytes=300 << 20)
    assert caught.value.code == "decode_limit"
    assert _open(sandbox)[1] is not None


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"file_bytes": 100}, "too_large"),
        ({"pixels": 100}, "too_many_pixels"),
        ({"inflated_bytes": 100}, "inflates_too_far"),
    ],
)
def test_limits_are_settings(limits, code):
    with pytest.raises(Refusal) as caught:
        decode(PNG, limits=replace(DEFAULT_LIMITS, **limits))
    assert caught.value.code == code


def test_several_threads_share_the_helpers(sandbox):
    films = []
    threads = [threading.Thread(target=lambda: films.append(_open(sandbox)[1])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(films) == 8
    assert len(_pids(sandbox)) <= 2


def test_a_forked_process_starts_helpers_of_its_own():
    script = (
        "import os, sys\n"
        "from ml.imaging.decode import read_header\n"
        "data = sys.stdin.buffer.read()\n"
        "assert read_header(data).width == 80\n"
        "if os.fork() == 0:\n"
        "    ok = read_header(data).width == 80\n"
        "    from ml.imaging.sandbox import close_helpers\n"
        "    close_helpers()\n"
        "    os._exit(0 if ok else 1)\n"
        "code = os.waitstatus_to_exitcode(os.wait()[1])\n"
        "assert read_header(data).width == 80\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=PNG, cwd=sandbox_module._ROOT, timeout=60, check=False
    )
    assert done.returncode == 0


def test_helpers_end_with_their_parent():
    script = (
        "import os, sys\n"
        "from ml.imaging.sandbox import shared_sandbox\n"
        "from ml.imaging.decode import read_header\n"
        "read_header(sys.stdin.buffer.read())\n"
        "print(*(helper._process.pid for helper in shared_sandbox()._all), flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=PNG,
        cwd=sandbox_module._ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    pids = [int(word) for word in done.stdout.split()]
    assert pids
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(_runs(pid) for pid in pids):
        time.sleep(0.05)
    assert not any(_runs(pid) for pid in pids)


def _runs(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        return stat.rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_helper_that_cannot_start_is_no_refusal(sandbox, monkeypatch):
    monkeypatch.setattr(sandbox_module, "_BOOT", "raise SystemExit(1)")
    with pytest.raises(HelperStartError):
        _open(sandbox)
    monkeypatch.undo()
    assert _open(sandbox)[1] is not None


def test_a_helper_gets_none_of_its_parents_secrets(sandbox, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "not for helpers")
    _open(sandbox)
    (pid,) = _pids(sandbox)
    assert b"SECRET_KEY" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_a_refusal_names_no_value_of_the_file():
    data = dicom_bytes(make_dataset(PatientName="Secret^Name", PatientID="S-1", Rows=9999))
    with pytest.raises(Refusal) as caught:
        read_header(data)
    assert "Secret" not in repr(caught.value.detail)
    assert "S-1" not in repr(caught.value.detail)
