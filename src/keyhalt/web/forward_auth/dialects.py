"""What each kind of proxy says about the request it asks about. docs/forward-auth.md.

A dialect reads only the headers that its proxy writes itself, because a client's own pass through
some of them. A header that is missing, or there twice, means that the proxy is not set up as our
examples show; guessing would be worse than refusing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.core.refusals import Fault, Refused

if TYPE_CHECKING:
    from keyhalt.client.middleware import Scope


@dataclass(frozen=True, slots=True)
class Dialect:
    """The header that has each fact; None: it stands in the asking request itself."""

    name: str
    method: str | None
    uri: str | None
    host: str
    scheme: str = "x-forwarded-proto"
    address: str = "x-forwarded-for"
    two_statuses: bool = False
    """Whether only 401 and 403 pass, so that another status travels in `Keyhalt-Status`."""
    removes: bool = False
    """Whether the answer names headers to take away from the request (Envoy)."""


_FORWARDED = ("x-forwarded-method", "x-forwarded-uri", "x-forwarded-host")
DIALECTS: Mapping[str, Dialect] = {
    each.name: each
    for each in (
        Dialect("nginx", "x-original-method", "x-original-uri", "x-forwarded-host",
                two_statuses=True),
        Dialect("traefik", *_FORWARDED),
        Dialect("caddy", *_FORWARDED),
        Dialect("envoy", None, None, "host", removes=True),
        Dialect("generic", *_FORWARDED),
    )
}  # fmt: skip
_WHAT = {
    "method": "the method of the client's request",
    "uri": "the client's path and query",
    "host": "the host that the client asked",
    "scheme": "whether the client came over https",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The client's request, as its proxy tells it. `path` and `query` are as they were sent."""

    method: str
    path: str
    query: bytes
    host: str
    over_https: bool
    source: str


def read_asked(dialect: Dialect, scope: Scope, rest: str) -> Asked | Refused:
    """`rest`: what follows the policy in the address, for a proxy that puts the path there."""
    said = _Said(scope)
    method = scope["method"] if dialect.method is None else said.one(dialect.method, "method")
    uri = _with_query(rest, scope) if dialect.uri is None else said.one(dialect.uri, "uri")
    host = said.one(dialect.host, "host")
    scheme = said.one(dialect.scheme, "scheme")
    if said.wrong:
        lacks = "; ".join(said.wrong)
        return Refused(Fault.PROXY_MISCONFIGURED, f"The proxy ({dialect.name}) must send {lacks}.")
    path, _, query = uri.partition("?")
    return Asked(
        method=method,
        path=path,
        query=query.encode("latin-1"),
        host=host,
        over_https=scheme.lower() == "https",
        source=said.last(dialect.address) or (scope.get("client") or ("",))[0],
    )


class _Said:
    """The headers of the asking request, each asked for once; notes what is wrong."""

    def __init__(self, scope: Scope) -> None:
        self._values: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            self._values.setdefault(name, []).append(value)
        self.wrong: list[str] = []

    def one(self, header: str, what: str) -> str:
        values = self._values.get(header.encode(), ())
        if len(values) == 1 and values[0]:
            return values[0].decode("latin-1")
        how = "once, as its own and not the client's" if values else "which is missing"
        self.wrong.append(f"{header.title()}, {_WHAT[what]}, {how}")
        return ""

    def last(self, header: str) -> str:
        """The last of a list: the only one that a client could not write itself."""
        values = self._values.get(header.encode())
        text = b"" if not values else values[-1].rpartition(b",")[2].strip()
        return text.decode("latin-1")[:64]


def _with_query(rest: str, scope: Scope) -> str:
    query: bytes = scope.get("query_string", b"")
    return f"{rest}?{query.decode('latin-1')}" if query else rest
