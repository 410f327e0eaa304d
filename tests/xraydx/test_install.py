"""The step before anything is installed: which Python, and what it says where none fits."""

import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from xraydx import install

ROOT = Path(__file__).resolve().parents[2]


def fake_python(folder: Path, name: str, version: str, *, venv: bool = True) -> Path:
    """A program that says it is some version of Python."""
    file = folder / name
    file.write_text(
        "#!/bin/sh\n"
        f'case "$1" in -c) echo "{version}";; '
        f"-m) {'mkdir -p $3/bin' if venv else 'echo no ensurepip >&2; exit 1'};; esac\n"
    )
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


def test_a_fitting_python_is_chosen_over_the_one_that_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_python(tmp_path, "python3.11", "3 11")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYTHON", "")
    monkeypatch.setattr(sys, "executable", str(fake_python(tmp_path, "python3.9", "3 9")))
    assert install.choose_python() == str(tmp_path / "python3.11")


def test_an_old_python_alone_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = fake_python(tmp_path, "python3.9", "3 9")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYTHON", str(old))
    monkeypatch.setattr(sys, "executable", str(old))
    with pytest.raises(SystemExit):
        install.choose_python()
    assert "needs Python 3.11 or 3.12" in capsys.readouterr().err


@pytest.mark.parametrize("redis", [True, False])
def test_a_newer_python_asks_for_redis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    new = fake_python(tmp_path, "python3", "3 14")
    if redis:
        fake_python(tmp_path, "redis-server", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYTHON", "python3")
    monkeypatch.setattr(sys, "executable", str(new))
    if redis:
        assert install.choose_python() == str(new)
    else:
        with pytest.raises(SystemExit):
            install.choose_python()
        assert "apt-get install redis-server" in capsys.readouterr().err


def test_a_debian_python_without_venv_gets_a_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    python = fake_python(tmp_path, "python3", "3 11", venv=False)
    with pytest.raises(SystemExit):
        install.make_environment(str(python), str(tmp_path / "env"))
    assert "sudo apt-get install python3.11-venv" in capsys.readouterr().err


def test_torch_comes_first_and_torchvision_without_its_dependencies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    steps = install.steps("train", "requirements/train.txt")
    assert steps[0] == ["torch==2.13.0"]
    assert steps[1] == ["--no-deps", "torchvision==0.28.0"]


def test_the_locks_name_no_local_version_and_no_torch_for_serving() -> None:
    for name in ("serve", "dev", "train"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        assert "+cpu" not in text
        assert "file://" not in text
    for name in ("serve", "dev"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        assert not any(line.startswith(("torch", "timm", "ultralytics")) for line in text.split())


@pytest.mark.parametrize("lock", ["serve", "dev", "train"])
def test_a_lock_holds_everything_that_the_project_asks_for(lock: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["optional-dependencies"].get(lock, [])
    wanted += project["dependencies"] if lock != "train" else []
    lines = (ROOT / "requirements" / f"{lock}.txt").read_text().splitlines()
    locked = {canonical(line.partition("==")[0]) for line in lines if "==" in line}
    assert {canonical(re.match(r"[\w.-]+", one)[0]) for one in wanted} <= locked


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def test_make_lists_every_job() -> None:
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("setup", "run", "test", "test-training", "lint", "bench", "evaluate", "up"):
        assert f"\n{target} " in f"\n{said.stdout}"
