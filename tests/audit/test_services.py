from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction

from audit.context import AuditContext, bind, current
from audit.models import Entry
from audit.services import record, record_refusal
from tests.accounts.factories import make_nurse

pytestmark = pytest.mark.django_db


def test_an_entry_says_who_did_what_to_whom_and_from_where() -> None:
    nurse, patient_id = make_nurse(), uuid4()
    with bind(AuditContext(via="api", address="2001:db8::7", request_id="r-1")):
        entry = record(
            actor=nurse,
            action="user.view",
            target=nurse,
            patient_id=patient_id,
            reason="own_page",
            detail={"fields": ["role", "full_name"], "count": 2, "visit": uuid4(), "late": False},
        )
    entry.refresh_from_db()
    assert (entry.actor_id, entry.target_type) == (nurse.pk, "accounts.user")
    assert (entry.target_id, entry.patient_id) == (str(nurse.pk), patient_id)
    assert (entry.via, entry.address, entry.request_id) == ("api", "2001:db8::7", "r-1")
    assert entry.detail["fields"] == ["role", "full_name"]


def test_nobody_and_the_anonymous_leave_no_actor() -> None:
    assert record(actor=None, action="a.b").actor_id is None
    assert record(actor=AnonymousUser(), action="a.b").actor_id is None


@pytest.mark.parametrize("action", ["view", "Patient.View", "patient.view.twice", "patient view"])
def test_actions_are_noun_and_verb(action: str) -> None:
    with pytest.raises(ValueError, match="not an action"):
        record(actor=None, action=action)


@pytest.mark.parametrize(
    "detail",
    [{"name": "Kim Ara"}, {"Name": "x"}, {"name": "김아라"}, {"names": ["ok", "two words"]}],
)
def test_words_are_kept_out_of_the_detail(detail: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="detail"):
        record(actor=None, action="a.b", detail=detail)


def test_words_are_kept_out_of_the_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        record(actor=None, action="a.b", reason="Her brother asked me to")


def test_an_entry_goes_with_its_change_when_that_is_rolled_back() -> None:
    with suppress(RuntimeError), transaction.atomic():
        record(actor=None, action="a.b")
        raise RuntimeError
    assert not Entry.objects.exists()


def test_a_refusal_waits_for_the_end_of_the_request_and_survives_a_rollback() -> None:
    with bind(AuditContext(via="web", deferred=[])) as context:
        with suppress(RuntimeError), transaction.atomic():
            record_refusal(actor=None, reason="sign_reading")
            raise RuntimeError
        assert not Entry.objects.exists()
        for write in context.deferred or []:
            write()
    assert Entry.objects.get().reason == "sign_reading"


def test_outside_of_a_request_the_way_in_is_the_command_line() -> None:
    assert current().via == "command"
    assert record(actor=None, action="a.b").via == "command"
