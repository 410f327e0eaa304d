"""The containers' files agree with each other and with the code, also where no engine runs."""

import re
import shutil
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from xraydx import container

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def dockerfile() -> list[str]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_every_part_of_the_platform_is_a_service(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {
        "proxy", "web", "worker", "scheduler", "shadow", "prepare", "postgres", "redis",
    }  # fmt: skip


def test_only_the_proxy_is_reachable_from_outside(compose: dict[str, Any]) -> None:
    assert [name for name, one in compose["services"].items() if "ports" in one] == ["proxy"]


def test_every_service_starts_a_role_that_the_entry_point_knows(compose: dict[str, Any]) -> None:
    ours = {name: one for name, one in compose["services"].items() if "build" in one}
    assert {one["command"][0] for one in ours.values()} == set(container.ROLES)


def test_workers_can_be_scaled(compose: dict[str, Any]) -> None:
    assert "container_name" not in compose["services"]["worker"]
    assert "ports" not in compose["services"]["worker"]


def test_every_secret_volume_and_network_is_declared(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for secret in service.get("secrets", []):
            name = secret["source"] if isinstance(secret, dict) else secret
            assert name in compose["secrets"]
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (ROOT / source).is_file(), source
        assert set(service.get("networks", [])) <= set(compose["networks"])


def test_no_secret_has_a_default(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert not re.search(r"(PASSWORD|SECRET_KEY|DATABASE_URL): (?!/run/secrets)\S", text)


def test_the_proxys_address_is_the_only_trusted_one(compose: dict[str, Any]) -> None:
    address = compose["services"]["proxy"]["networks"]["inside"]["ipv4_address"]
    setting = compose["services"]["web"]["environment"]["TRUSTED_PROXIES"]
    assert setting == f"${{TRUSTED_PROXIES:-{address}}}"


def test_only_the_step_that_migrates_knows_the_owner(compose: dict[str, Any]) -> None:
    knowing = {
        name
        for name, one in compose["services"].items()
        if "database_owner_url" in one.get("secrets", [])
    }
    assert knowing == {"prepare", "postgres"}


def test_the_image_runs_as_an_ordinary_user_with_a_health_check(dockerfile: list[str]) -> None:
    assert [line for line in dockerfile if line.startswith("USER ")] == ["USER xraydx"]
    assert any(line.startswith("HEALTHCHECK") for line in dockerfile)
    assert sum(line.startswith("FROM ") for line in dockerfile) == 2


def test_the_image_copies_only_what_exists(dockerfile: list[str]) -> None:
    copied = [line.split()[1:-1] for line in dockerfile if re.match(r"COPY (?!--from)", line)]
    for source in chain.from_iterable(copied):
        assert (ROOT / source).exists(), source


def test_the_image_takes_nothing_that_the_build_leaves_out(dockerfile: list[str]) -> None:
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied = [line.split()[1:-1] for line in dockerfile if re.match(r"COPY (?!--from)", line)]
    assert set(chain.from_iterable(copied)) == allowed


@pytest.mark.parametrize("role", sorted(container.ROLES))
def test_an_entry_point_starts_a_module_that_exists(
    role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOST", "PORT", "PROMETHEUS_MULTIPROC_DIR", "XRAYDX_DATABASE_ROLE"):
        monkeypatch.setenv(name, "set")
    arguments = container.ROLES[role]()
    if arguments[0] == "-m":
        command = [sys.executable, "-m", arguments[1], "--help"]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    else:
        assert (ROOT / arguments[0]).is_file()


def test_a_wrong_role_is_told_the_right_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert container.main(["nonsense"]) == 2
    assert "web|worker|scheduler|shadow|prepare|healthy" in capsys.readouterr().err


def test_secrets_are_random_complete_and_closed(tmp_path: Path, compose: dict[str, Any]) -> None:
    for folder in ("a", "b"):
        subprocess.run(
            ["sh", ROOT / "docker" / "make-secrets", tmp_path / folder],
            check=True,
            capture_output=True,
        )
    made = {file.name for file in (tmp_path / "a").iterdir()}
    needed = {Path(one["file"].rstrip("}")).name for one in compose["secrets"].values()}
    assert needed - made == {"certificate.pem", "key.pem"}
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    for name in made:
        assert (tmp_path / "a" / name).read_text() != (tmp_path / "b" / name).read_text()


def test_the_roles_script_reads_names_and_passwords_from_the_addresses(tmp_path: Path) -> None:
    script = (ROOT / "docker" / "roles.sh").read_text()
    part = script[script.index("part() {") : script.index("psql ")]
    (tmp_path / "database_url").write_text("postgresql://app:pa55word@postgres:5432/xraydx")
    part = part.replace("/run/secrets", str(tmp_path))
    command = f"{part}\npart database_url user; part database_url password"
    bash = shutil.which("bash")
    assert bash is not None
    said = subprocess.run([bash, "-c", command], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["app", "pa55word"]


def test_the_proxy_sends_what_the_platform_reads_and_hides_figures() -> None:
    text = (ROOT / "docker" / "nginx.conf").read_text()
    assert "X-Forwarded-For $proxy_add_x_forwarded_for" in text
    assert "X-Forwarded-Proto https" in text
    assert re.search(r"location = /metrics \{ return 404; \}", text)
    assert "access_log off" in text
    assert text.count("{") == text.count("}")
