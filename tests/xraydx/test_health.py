"""Health, readiness and figures: by name, without patient data, not for strangers."""

import pytest
from django.test import Client

from xraydx import health

pytestmark = pytest.mark.django_db


def test_healthz_answers_without_signing_in(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Every part holds, unless the test says otherwise."""
    checks: dict[str, object] = {name: lambda: None for name in health.CHECKS}
    monkeypatch.setattr(health, "CHECKS", checks)
    return checks


def test_readyz_names_every_part(client: Client, parts: dict[str, object]) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert list(answer.json()["parts"]) == ["database", "broker", "worker", "weights", "storage"]


@pytest.mark.parametrize("name", ["database", "broker", "worker", "weights", "storage"])
def test_readyz_names_the_part_that_fails(
    client: Client, parts: dict[str, object], name: str
) -> None:
    def fail() -> None:
        raise ConnectionError("host=secret.internal password=secret")

    parts[name] = fail
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"][name] == "unreachable"
    assert sum(state != "ok" for state in answer.json()["parts"].values()) == 1
    assert "secret" not in answer.content.decode()


def test_a_worker_that_nobody_saw_is_no_live_worker() -> None:
    with pytest.raises(health.NotReadyError, match="no live worker"):
        health.CHECKS["worker"]()


def test_the_database_and_the_broker_are_really_asked(servers: object) -> None:
    health.CHECKS["database"]()
    health.CHECKS["broker"]()


def test_a_dead_broker_is_noticed(settings: object) -> None:
    from xraydx.celery import app

    before = app.conf.broker_url
    app.conf.broker_url = "redis+socket:///nowhere/redis.sock"
    app.pool.force_close_all()
    try:
        with pytest.raises(Exception, match="nowhere"):
            health.CHECKS["broker"]()
    finally:
        app.conf.broker_url = before


def test_figures_are_for_this_machine(client: Client) -> None:
    assert client.get("/metrics", REMOTE_ADDR="127.0.0.1").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.9").status_code == 404


def test_figures_are_not_for_who_comes_through_a_proxy(client: Client) -> None:
    answer = client.get("/metrics", REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="203.0.113.9")
    assert answer.status_code == 404


def test_figures_are_for_who_has_the_token(client: Client, settings: object) -> None:
    settings.METRICS_TOKEN = "word"  # type: ignore[attr-defined]
    asked = {"REMOTE_ADDR": "203.0.113.9", "headers": {"Authorization": "Bearer word"}}
    assert client.get("/metrics", **asked).status_code == 200  # type: ignore[arg-type]
    assert client.get("/metrics", REMOTE_ADDR="127.0.0.1").status_code == 404


def test_figures_count_routes_and_know_the_queue(client: Client) -> None:
    client.get("/healthz")
    text = client.get("/metrics", REMOTE_ADDR="127.0.0.1").content.decode()
    assert 'route="healthz"' in text
    assert "xraydx_live_workers 0.0" in text
    assert "xraydx_longest_wait_seconds 0.0" in text
