"""Every change of the site's rules."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.permissions import Capability, require
from audit.services import record
from ml.bundle import Release, ReleaseError
from policy import curves, selectors
from policy.models import PolicyVersion, SitePoint
from policy.rules import Policy, check, to_json
from xraydx.errors import Conflict, UserError


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


def set_points(
    *, by: User, release: str, thresholds: Mapping[str, float | None], after: int | None = None
) -> int:
    """Save the thresholds that differ from those that hold, with their effects; returns how many.

    thresholds: finding → probability, None for the release's own
    after: selectors.last_point of what the change is based on, None where that does not matter
    raises: Forbidden; UserError("release_unknown"); Conflict("policy_changed_meanwhile")
    """
    require(by, Capability.manage_policy)
    loaded = _whole(release)
    if after is not None and after != selectors.last_point(release):
        raise Conflict("policy_changed_meanwhile")
    before, policy = selectors.site_points(release), selectors.present()
    changed = {code: t for code, t in thresholds.items() if before.get(code) != t}
    own = curves.own_thresholds(loaded)
    with transaction.atomic():
        for code, threshold in changed.items():
            share = selectors.prevalence_of(policy, loaded, code)
            at = own[code] if threshold is None else threshold
            effect = curves.effect_of(loaded, code, at, prevalence=share)
            row = SitePoint.objects.create(
                release=release,
                code=code,
                threshold=threshold,
                sensitivity=effect.sensitivity,
                specificity=effect.specificity,
                alerts_per_100=effect.alerts_per_100,
                by=by,
            )
            record(
                actor=by,
                action="policy.set_point",
                target=row,
                detail={"release": release, "finding": code, "threshold": threshold},
            )
    return len(changed)


def activate_release(*, by: User, release: str, version: int) -> Policy:
    """Have new films read with this release; "" follows the newest.

    raises: Forbidden; UserError("release_unknown") where it is not whole; Conflict
    """
    require(by, Capability.manage_policy)
    if release:
        _whole(release)
    return change_policy(by=by, version=version, release=release)


def choose_shadow(*, by: User, release: str, version: int) -> Policy:
    """Have this release read new films silently beside the active one; "" ends that.

    raises: Forbidden; UserError("release_unknown") where it is not whole; Conflict
    """
    require(by, Capability.manage_policy)
    if release:
        _whole(release)
    return change_policy(by=by, version=version, shadow_release=release)


def _whole(name: str) -> Release:
    """Return the release. raises: UserError("release_unknown") where it can't be loaded"""
    try:
        return curves.installed(name)
    except ReleaseError as error:
        raise UserError("release_unknown", field="release") from error
