"""The address that a request came from, believing forwarded ones from known proxies only."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeAlias

from django.conf import settings
from django.http import HttpRequest

Address: TypeAlias = IPv4Address | IPv6Address


def client_address(request: HttpRequest) -> str | None:
    """Return the client's address, or None where the connection has none (a unix socket).

    X-Forwarded-For is read from its right end: each proxy appends whom it heard, so
    the first address that is no trusted proxy is the client, and whatever stands left
    of it was typed by the client.
    """
    peer = _parse(request.META.get("REMOTE_ADDR", ""))
    if peer is None or not _trusted(peer):
        return str(peer) if peer else None
    hops = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).split(",")
    for hop in reversed(hops):
        address = _parse(hop)
        if address is None:
            break
        peer = address
        if not _trusted(address):
            break
    return str(peer)


def _trusted(address: Address) -> bool:
    """Tell whether the address belongs to TRUSTED_PROXIES (addresses or networks)."""
    proxies: Iterable[object] = getattr(settings, "TRUSTED_PROXIES", ())
    return any(address in ip_network(str(proxy), strict=False) for proxy in proxies)


def _parse(text: str) -> Address | None:
    """Read an address, an IPv4 one out of its IPv6 clothes; None where it is none."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
