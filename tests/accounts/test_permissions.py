import pytest
from django.contrib.auth.models import AnonymousUser

from accounts.permissions import ROLE_CAPABILITIES, Capability, may, require
from accounts.roles import Role
from audit.models import Entry
from tests.accounts.factories import make_administrator, make_nurse, make_user
from xraydx.errors import Forbidden

pytestmark = pytest.mark.django_db


def test_every_role_has_a_row() -> None:
    assert set(ROLE_CAPABILITIES) == set(Role)


def test_only_administrators_manage_users_read_the_audit_and_erase() -> None:
    for capability in (Capability.manage_users, Capability.read_audit, Capability.erase_patient):
        holders = {role for role, has in ROLE_CAPABILITIES.items() if capability in has}
        assert holders == {Role.ADMINISTRATOR}


def test_who_sees_every_patient_needs_no_broken_glass() -> None:
    for has in ROLE_CAPABILITIES.values():
        assert not {Capability.view_every_patient, Capability.break_glass} <= has


def test_nobody_and_the_deactivated_may_nothing() -> None:
    assert not may(AnonymousUser(), Capability.view_patient)
    assert not may(make_nurse(is_active=False), Capability.view_patient)


def test_a_refusal_is_recorded_with_the_capability() -> None:
    nurse = make_nurse()
    with pytest.raises(Forbidden):
        require(nurse, Capability.sign_reading)
    entry = Entry.objects.get(action="access.refused")
    assert (entry.actor_id, entry.reason) == (nurse.pk, "sign_reading")


def test_templates_and_django_ask_the_same_table() -> None:
    administrator, nurse = make_administrator(), make_nurse()
    assert administrator.can["manage_users"]
    assert "manage_users" not in nurse.can
    assert administrator.has_perm("audit.read_audit")
    assert not nurse.has_perm("audit.read_audit")


@pytest.mark.parametrize("role", list(Role), ids=str)
def test_user_names_are_one_however_they_are_typed(role: Role) -> None:
    user = make_user(role, username="Dr.Kim")
    assert user.username == "dr.kim"
    assert type(user).objects.get_by_natural_key(" DR.KIM ") == user
