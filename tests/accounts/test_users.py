import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts import services
from accounts.models import ApiToken, User
from accounts.roles import Role
from audit.models import Entry
from tests.accounts.factories import (
    PASSWORD,
    client_of,
    make_administrator,
    make_integration,
    make_nurse,
    make_token,
)
from xraydx.errors import Conflict, Forbidden

pytestmark = pytest.mark.django_db


@pytest.fixture
def administrator() -> User:
    return make_administrator()


@pytest.fixture
def office(administrator: User) -> Client:
    return client_of(administrator)


NEW = {"username": "Ara.Kim", "full_name": "Ara Kim", "role": "physician"}


def test_a_new_person_gets_a_one_time_password_that_signs_in(office: Client) -> None:
    page = office.post("/users/new/", NEW)
    password = page.context["secret"]
    assert password in page.content.decode()
    browser = Client()
    browser.post("/sign-in/", {"username": "ara.kim", "password": password})
    assert browser.get("/users/")["Location"] == "/profile/password/"
    entry = Entry.objects.get(action="user.create")
    assert entry.detail == {"role": "physician"}


def test_a_new_program_gets_no_password(office: Client) -> None:
    office.post("/users/new/", {**NEW, "role": "integration"})
    user = User.objects.get(username="ara.kim")
    assert not user.has_usable_password()
    assert not user.must_change_password


def test_a_user_name_is_given_once(office: Client) -> None:
    make_nurse(username="ara.kim")
    page = office.post("/users/new/", NEW)
    assert page.status_code == 409
    assert "username" in page.context["form"].errors
    assert User.objects.filter(username="ara.kim").count() == 1


@pytest.mark.parametrize("username", ["a", "with space", "한글", "../etc", "x" * 65, "-dash"])
def test_odd_user_names_are_refused(office: Client, username: str) -> None:
    page = office.post("/users/new/", {**NEW, "username": username})
    assert page.context["form"].errors["username"]


def test_name_and_role_change_and_the_record_holds_codes_only(
    office: Client, administrator: User
) -> None:
    nurse = make_nurse(full_name="Before")
    office.post(f"/users/{nurse.pk}/", {"full_name": "After Marriage", "role": "physician"})
    nurse.refresh_from_db()
    assert (nurse.full_name, nurse.role) == ("After Marriage", Role.PHYSICIAN)
    entry = Entry.objects.get(action="user.edit")
    assert entry.actor_id == administrator.pk
    assert entry.detail == {
        "fields": ["full_name", "role"],
        "role_before": "nurse",
        "role": "physician",
    }


def test_a_change_that_changes_nothing_is_not_recorded(office: Client) -> None:
    nurse = make_nurse()
    office.post(f"/users/{nurse.pk}/", {"full_name": nurse.full_name, "role": "nurse"})
    assert not Entry.objects.filter(action="user.edit").exists()


def test_the_last_administrator_stays(administrator: User) -> None:
    with pytest.raises(Conflict, match="last_administrator"):
        services.edit_user(user=administrator, full_name="X", role="nurse", by=administrator)
    with pytest.raises(Conflict, match="own_account"):
        services.deactivate_user(user=administrator, by=administrator)
    other = make_administrator()
    services.deactivate_user(user=other, by=administrator)
    with pytest.raises(Conflict, match="last_administrator"):
        services.edit_user(user=administrator, full_name="X", role="nurse", by=administrator)


def test_a_person_becomes_no_program(administrator: User) -> None:
    with pytest.raises(Conflict, match="role_needs_new_account"):
        services.edit_user(user=make_nurse(), full_name="X", role="integration", by=administrator)


def test_deactivating_closes_sessions_and_revokes_tokens_for_good(office: Client) -> None:
    nurse = make_nurse()
    ward = client_of(nurse)
    token, _ = make_token(nurse)
    office.post(f"/users/{nurse.pk}/deactivate/")
    assert ward.get("/profile/").status_code == 302
    office.post(f"/users/{nurse.pk}/activate/")
    assert ward.get("/profile/").status_code == 302
    assert ApiToken.objects.get(pk=token.pk).revoked_at is not None
    assert Client().login(username=nurse.username, password=PASSWORD)


def test_a_problem_is_said_on_the_account_s_page(office: Client, administrator: User) -> None:
    page = office.post(f"/users/{administrator.pk}/deactivate/")
    assert page.status_code == 409
    assert "You can" in page.content.decode()
    assert office.post(f"/users/{administrator.pk}/vanish/").status_code == 404


def test_a_forgotten_password_is_replaced_by_a_one_time_one(office: Client) -> None:
    nurse = make_nurse()
    ward = client_of(nurse)
    password = office.post(f"/users/{nurse.pk}/password/").context["secret"]
    assert ward.get("/profile/").status_code == 302
    nurse.refresh_from_db()
    assert nurse.check_password(password)
    assert nurse.must_change_password
    assert office.post(f"/users/{make_integration().pk}/password/").status_code == 409


def test_the_list_narrows_by_role_and_state(office: Client) -> None:
    make_nurse(full_name="Open Nurse")
    make_nurse(full_name="Closed Nurse", is_active=False)
    page = office.get("/users/?role=nurse&state=closed").content.decode()
    assert "Closed Nurse" in page
    assert "Open Nurse" not in page


def test_the_list_narrows_by_a_name_that_stands_in_no_address(office: Client) -> None:
    make_nurse(full_name="Linh Tran")
    make_nurse(full_name="Ara Kim", username="ara.kim")
    answer = office.post("/users/", {"name": "RA.ki"}, follow=True)
    assert answer.redirect_chain == [("/users/", 302)]
    page = answer.content.decode()
    assert "Ara Kim" in page
    assert "Linh Tran" not in page
    assert "Linh Tran" in office.post("/users/", {"name": ""}, follow=True).content.decode()


def test_the_services_ask_for_the_role_themselves() -> None:
    nurse = make_nurse()
    with pytest.raises(Forbidden):
        services.create_user(username="x.y", full_name="X", role="administrator", by=nurse)
    with pytest.raises(Forbidden):
        services.reset_password(user=make_administrator(), by=nurse)
    assert Entry.objects.filter(action="access.refused", reason="manage_users").count() == 2


def test_tidying_removes_what_has_run_out_only() -> None:
    kept, gone = client_of(make_nurse()), client_of(make_nurse())
    Session.objects.filter(pk=gone.session.session_key).update(expire_date=timezone.now())
    services.tidy()
    assert kept.get("/profile/").status_code == 200
    assert Session.objects.count() == 1
