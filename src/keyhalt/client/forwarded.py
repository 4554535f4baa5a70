"""Believing a listed proxy about the client: its scheme and its address. RFC 7239.

Only a proxy whose address is listed is believed. It came over HTTPS when every hop says so, in
every one of the headers that are there: a client can add a hop that lies, but no hop can be
taken away, so a lie never makes plain HTTP look like HTTPS as long as the listed proxies speak.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from ipaddress import IPv4Address, IPv4Network, IPv6Network

    from keyhalt.client.middleware import ASGIApp, Receive, Scope, Send

_HEADERS = (b"forwarded", b"x-forwarded-proto", b"x-forwarded-for")
_SECURE = {"http": "https", "ws": "wss"}


class TrustProxies:
    """`TrustProxies(app, ["10.0.0.0/8"])`, in front of `Authenticate`. Raises ValueError."""

    def __init__(self, app: ASGIApp, proxies: Iterable[str]) -> None:
        self._app = app
        self._networks: Sequence[IPv4Network | IPv6Network] = [ip_network(p) for p in proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if scope["type"] in ("http", "websocket") and client and self._listed(client[0]):
            hops = forwarded(scope["headers"])
            if hops is not None:
                plain = "ws" if scope["type"] == "websocket" else "http"
                scope["scheme"] = _SECURE[plain] if hops.over_https else plain
                scope["client"] = (self._client(hops.addresses, client[0]), 0)
        await self._app(scope, receive, send)

    def _listed(self, address: str) -> bool:
        at = _address(address)
        return at is not None and any(at in network for network in self._networks)

    def _client(self, addresses: Sequence[str], peer: str) -> str:
        """The nearest hop that is not a listed proxy: what stands left of it may be made up."""
        nearest = peer
        for address in reversed(addresses):
            if _address(address) is None:
                break
            nearest = address
            if not self._listed(address):
                break
        return nearest


@dataclass(frozen=True, slots=True)
class Hops:
    """What the headers say: addresses from the client on, and whether every hop was HTTPS."""

    addresses: Sequence[str]
    over_https: bool


def forwarded(headers: Iterable[tuple[bytes, bytes]]) -> Hops | None:
    """From `Forwarded`, `X-Forwarded-Proto` and `X-Forwarded-For`; None when none is there."""
    said: dict[bytes, list[str]] = {}
    for name, value in headers:
        if name in _HEADERS:
            said.setdefault(name, []).extend(value.decode("latin-1").split(","))
    if not said:
        return None
    elements = [dict(map(_pair, each.split(";"))) for each in said.get(b"forwarded", ())]
    schemes = [each.strip().lower() for each in said.get(b"x-forwarded-proto", ())]
    schemes += [element.get("proto", "") for element in elements]
    addresses = said.get(b"x-forwarded-for") or [each.get("for", "") for each in elements]
    return Hops(
        addresses=[_bare(each) for each in addresses],
        over_https=bool(schemes) and all(each in ("https", "wss") for each in schemes),
    )


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip().lower(), value.strip().strip('"').lower()


def _bare(text: str) -> str:
    """An address without its port and brackets: `[2001:db8::1]:80` is `2001:db8::1`."""
    text = text.strip()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """None for what is none, and for one with a zone: that is any text, and of no use here."""
    try:
        address = None if "%" in text else ip_address(text)
    except ValueError:
        return None
    # A socket for both versions gives IPv4 peers so.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
