"""Every change of the site's rules."""

from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.permissions import Capability, require
from audit.services import record
from policy import selectors
from policy.models import PolicyVersion
from policy.rules import Policy, check, to_json
from xraydx.errors import Conflict


def change_policy(*, by: User, version: int, **changes: Any) -> Policy:
    """Save the rules with these changes as the next version.

    version: the one that the changes are based on
    raises: Forbidden; Conflict("policy_changed_meanwhile"); ValueError where a value makes no sense
    """
    require(by, Capability.manage_policy)
    before = selectors.present()
    if before.version != version:
        raise Conflict("policy_changed_meanwhile")
    after = before.with_(version=version + 1, **changes)
    check(after)
    old, new = to_json(before), to_json(after)
    changed = sorted(name for name in new if new[name] != old[name])
    if not changed:
        return before
    try:
        with transaction.atomic():
            row = PolicyVersion.objects.create(version=after.version, values=new, by=by)
            record(
                actor=by,
                action="policy.change",
                target=row,
                detail={"version": after.version, "fields": [*changed]},
            )
    except IntegrityError as error:
        raise Conflict("policy_changed_meanwhile") from error
    return after
