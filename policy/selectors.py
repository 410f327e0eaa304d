"""Which rules hold at this site."""

from datetime import datetime

from django.conf import settings
from django.db.models import Max, QuerySet

from ml import bundle
from policy import curves
from policy.models import PolicyVersion, SitePoint
from policy.rules import Policy, from_json


def present() -> Policy:
    """Return the rules that hold now."""
    return _last(PolicyVersion.objects.all())


def held_at(moment: datetime) -> Policy:
    """Return the rules that held then."""
    return _last(PolicyVersion.objects.filter(at__lte=moment))


def _last(versions: QuerySet[PolicyVersion]) -> Policy:
    last = versions.order_by("-version").values("version", "values").first()
    return from_json(last["values"], version=last["version"]) if last else Policy()


def site_points(release: str) -> dict[str, float]:
    """Return the thresholds that the site chose for this release, by finding."""
    rows = SitePoint.objects.filter(release=release).order_by("code", "-id").distinct("code")
    return {row.code: row.threshold for row in rows if row.threshold is not None}


def last_point(release: str) -> int:
    """Return the id of the last threshold that was saved for this release, 0 where none was."""
    last = SitePoint.objects.filter(release=release).aggregate(last=Max("id"))["last"]
    return last or 0


def history(limit: int = 50) -> list[PolicyVersion]:
    """Return the last versions of the rules, newest first."""
    return list(PolicyVersion.objects.select_related("by").order_by("-version")[:limit])


def active_release(policy: Policy | None = None) -> str:
    """Return the name of the release that new films are read with. raises: ReleaseError

    policy: the rules that hold now, asked for where None
    """
    policy = policy or present()
    return bundle.current_release(policy.release or settings.RELEASE or None)


def prevalence_of(policy: Policy, release: bundle.Release, code: str) -> float:
    """Return the share of this site's films with the disease, the release's where none is set."""
    return policy.prevalence.get(code) or curves.stated_prevalence(release, code)
