"""Which rules hold at this site."""

from policy.models import PolicyVersion, SitePoint
from policy.rules import Policy, from_json


def present() -> Policy:
    """Return the rules that hold now."""
    last = PolicyVersion.objects.order_by("-version").values("version", "values").first()
    return from_json(last["values"], version=last["version"]) if last else Policy()


def site_points(release: str) -> dict[str, float]:
    """Return the thresholds that the site chose for this release, by finding."""
    rows = SitePoint.objects.filter(release=release).order_by("code", "-id").distinct("code")
    return {row.code: row.threshold for row in rows if row.threshold is not None}


def threshold_of(release: str, code: str) -> float | None:
    """Return the site's threshold for a finding of this release, None for the release's own."""
    return site_points(release).get(code)


def history(limit: int = 50) -> list[PolicyVersion]:
    """Return the last versions of the rules, newest first."""
    return list(PolicyVersion.objects.select_related("by").order_by("-version")[:limit])
