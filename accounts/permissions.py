"""What each role may do, in one table."""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from django.db.models import Model
from django.http import HttpRequest, HttpResponseBase

from accounts.roles import Role
from audit.services import record_refusal
from xraydx.errors import Forbidden

P = ParamSpec("P")
R = TypeVar("R", bound=HttpResponseBase)
T = TypeVar("T")


class Capability(StrEnum):
    """Something that a role may or may not do, whoever the patient is."""

    view_patient = "view_patient"
    view_every_patient = "view_every_patient"
    register_patient = "register_patient"
    edit_patient = "edit_patient"
    delete_patient = "delete_patient"
    restore_patient = "restore_patient"
    erase_patient = "erase_patient"
    merge_patient = "merge_patient"
    import_patients = "import_patients"
    export_patient = "export_patient"
    break_glass = "break_glass"
    list_break_glass = "list_break_glass"
    upload_film = "upload_film"
    move_film = "move_film"
    delete_film = "delete_film"
    restore_film = "restore_film"
    erase_film = "erase_film"
    rerun_analysis = "rerun_analysis"
    cancel_analysis = "cancel_analysis"
    sign_reading = "sign_reading"
    create_token = "create_token"  # noqa: S105 - a name, no secret
    manage_users = "manage_users"
    read_audit = "read_audit"
    manage_policy = "manage_policy"
    view_quality = "view_quality"


C = Capability
_CARE = {
    C.view_patient,
    C.register_patient,
    C.edit_patient,
    C.break_glass,
    C.upload_film,
    C.rerun_analysis,
    C.cancel_analysis,
    C.create_token,
}

ROLE_CAPABILITIES: dict[Role, frozenset[Capability]] = {
    Role.PHYSICIAN: frozenset(
        _CARE | {C.sign_reading, C.delete_patient, C.move_film, C.delete_film}
    ),
    Role.NURSE: frozenset(_CARE),
    Role.RADIOGRAPHER: frozenset(_CARE | {C.move_film, C.delete_film}),
    Role.RADIOLOGIST: frozenset(
        {
            C.view_patient,
            C.view_every_patient,
            C.rerun_analysis,
            C.cancel_analysis,
            C.sign_reading,
            C.create_token,
            C.view_quality,
        }
    ),
    # A program signs nothing, and what it may do at all its token's scopes narrow further.
    Role.INTEGRATION: frozenset(
        (_CARE - {C.break_glass, C.create_token})
        | {C.view_every_patient, C.delete_patient, C.move_film, C.delete_film}
    ),
    Role.ADMINISTRATOR: frozenset(set(Capability) - {C.break_glass}),
}


def may(user: Any, capability: Capability | str) -> bool:
    """Tell whether the account's role has the capability; nobody and the inactive have none."""
    role = getattr(user, "role", None)
    if role is None or not user.is_active:
        return False
    return Capability(capability) in ROLE_CAPABILITIES[Role(role)]


def require(
    user: Any,
    capability: Capability | str,
    *,
    target: Model | None = None,
    patient_id: UUID | None = None,
) -> None:
    """Return where the role has the capability; else audit the refusal and raise Forbidden."""
    if may(user, capability):
        return
    record_refusal(
        actor=user, reason=Capability(capability).value, target=target, patient_id=patient_id
    )
    raise Forbidden("not_permitted")


def for_administrators(service: Callable[P, T]) -> Callable[P, T]:
    """Let only those who manage users call the service; by=None is the command line.

    It stands outside of the service's transaction, so that a refusal stays on record.
    """

    @wraps(service)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        if kwargs["by"] is not None:
            require(kwargs["by"], Capability.manage_users)
        return service(*args, **kwargs)

    return guarded


def require_capability(
    capability: Capability | str,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only roles with the capability into the view."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            request = args[0]
            assert isinstance(request, HttpRequest)
            require(request.user, capability)
            return view(*args, **kwargs)

        guarded.required_capability = Capability(capability)  # type: ignore[attr-defined]
        return guarded

    return decorate
