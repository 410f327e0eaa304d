"""The API keeps to its own specification, whatever is sent to it."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CheckFunction
from schemathesis.checks import not_a_server_error as no_fault
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from diagnosis import tasks
from diagnosis.models import Analysis
from diagnosis.readings import Added, sign_reading
from tests.accounts.factories import make_radiologist, make_token
from tests.diagnosis.factories import make_result
from tests.diagnosis.tiny_release import tiny_release, tiny_weights  # noqa: F401

pytestmark = [pytest.mark.django_db, pytest.mark.flow, pytest.mark.usefixtures("tiny_release")]

EXAMPLES = 10
# What is made up at random is no film, no visit elsewhere, and no analysis that still runs.
HARD_TO_PLEASE = {
    "POST /api/v1/visits/{visit_id}/films/",
    "POST /api/v1/films/{film_id}/move/",
    "POST /api/v1/analyses/{analysis_id}/cancel/",
}
CHECKS: list[CheckFunction] = [
    no_fault,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The specification as the platform serves it, inside the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    monkeypatch.setattr(tasks, "_broker_rests_until", float("inf"))
    yield schemathesis.openapi.from_wsgi("/api/schema/?format=json", get_wsgi_application())
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def token() -> str:
    """The secret of a token with both scopes."""
    return make_token()[1]


def make_known() -> dict[str, str]:
    """Ids of things that are there, so that not every call ends with 404."""
    done = make_result()
    added = [Added("Nodule", "left", (0.1, 0.2, 0.3, 0.4))]
    signed = sign_reading(
        analysis=done, by=make_radiologist(), findings={"Effusion": "agree"}, added=added
    )
    return {
        "patient_id": str(done.film.patient_id),
        "visit_id": str(done.film.visit_id),
        "film_id": str(done.film_id),
        "analysis_id": str(done.id),
        "reading_id": str(signed.id),
        "name": "film",
    }


@pytest.mark.timeout(300)
def test_every_address_keeps_to_the_specification(api: Any, token: str) -> None:
    broken, answered = [], {}
    for found in api.get_all_operations():
        operation = found.ok()
        try:
            answered[operation.label] = check_operation(operation, token)
        except Exception as failure:
            broken.append(f"{operation.label}\n{failure}")
    assert not broken, "\n\n".join(broken)
    # Where nothing succeeds, nothing but refusals was held against the specification.
    silent = {label for label, statuses in answered.items() if min(statuses) >= 300}
    assert silent <= HARD_TO_PLEASE


def check_operation(operation: Any, token: str) -> Counter[int]:
    """Call the address with what its specification allows, and hold the answers against it."""
    statuses: Counter[int] = Counter()
    Analysis.objects.filter(status="queued").delete()  # asked for by the operation before
    known = make_known()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        parameters = case.path_parameters or {}
        case.path_parameters = {name: known.get(name, parameters[name]) for name in parameters}
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}
        if "Prefer" in case.headers:
            case.headers["Prefer"] = "wait=0"
        statuses[case.call_and_validate(checks=CHECKS).status_code] += 1

    check()
    return statuses
