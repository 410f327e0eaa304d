"""System checks: what a person who sets this up would otherwise find out too late."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register


@register(Tags.security, deploy=True)
def check_database_role(**_: Any) -> list[CheckMessage]:
    """The web and the workers must not own the tables they use."""
    if urlsplit(settings.DATABASE_OWNER_URL).username != settings.DATABASE_APP_ROLE:
        return []
    return [
        Warning(
            "The application uses the role that owns the tables, so it could change the audit.",
            hint="Set DATABASE_URL to a role that owns nothing and DATABASE_OWNER_URL to the "
            "owner (docs/operations.md, 'Roles').",
            id="xraydx.W001",
        )
    ]


@register(Tags.security, deploy=True)
def check_hosts(**_: Any) -> list[CheckMessage]:
    """A host name of * lets anybody poison links."""
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    return [
        Error(
            "ALLOWED_HOSTS holds *.",
            hint="List the names under which this service is reached.",
            id="xraydx.E001",
        )
    ]


@register(Tags.security, deploy=True)
def check_proxies(**_: Any) -> list[CheckMessage]:
    """Forwarded addresses are believed from these only, so they must be addresses."""
    import ipaddress

    wrong = []
    for proxy in settings.TRUSTED_PROXIES:
        try:
            ipaddress.ip_network(proxy, strict=False)
        except ValueError:
            wrong.append(proxy)
    return [
        Error(
            f"TRUSTED_PROXIES holds {proxy!r}, which is no address or network.",
            hint="Use addresses like 10.0.0.5 or networks like 172.16.0.0/12.",
            id="xraydx.E002",
        )
        for proxy in wrong
    ]


@register(Tags.files)
def check_private_files(**_: Any) -> list[CheckMessage]:
    """Keys and passwords under var/ must be closed to other users."""
    folder = Path(settings.VAR) / "private"
    if not folder.exists() or not folder.stat().st_mode & 0o077:
        return []
    return [
        Error(
            f"{folder} can be entered by other users of this machine.",
            hint=f"chmod 700 {folder}",
            id="xraydx.E003",
        )
    ]


@register()
def check_time_limits(**_: Any) -> list[CheckMessage]:
    """A soft limit must come before the hard one."""
    if settings.ANALYSIS_SOFT_SECONDS < settings.ANALYSIS_HARD_SECONDS:
        return []
    return [
        Error(
            "XRAYDX_ANALYSIS_SOFT_SECONDS is not below XRAYDX_ANALYSIS_HARD_SECONDS.",
            hint="Leave both unset, or set the soft limit to 0.9 of the hard one.",
            id="xraydx.E004",
        )
    ]
