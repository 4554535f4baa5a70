"""What each kind of proxy says about the request it asks about. docs/forward-auth.md.

A dialect reads only the headers that its proxy writes itself, because a client's own pass through
some of them. A header that is missing, or there twice, means that the proxy is not set up as our
examples show; guessing would be worse than refusing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.client.credentials import read
from keyhalt.core.decisions import Presented
from keyhalt.core.refusals import Fault, Refused

if TYPE_CHECKING:
    from keyhalt.client.middleware import Scope


@dataclass(frozen=True, slots=True)
class Dialect:
    """The header that has each fact; None: it stands in the asking request itself."""

    name: str
    method: bytes | None
    uri: bytes | None
    host: bytes
    two_statuses: bool = False
    """Whether only 401 and 403 pass, so that another status travels in `Keyhalt-Status`."""
    removes: bool = False
    """Whether the answer names headers to take away from the request (Envoy)."""


SCHEME = b"x-forwarded-proto"
ADDRESS = b"x-forwarded-for"
_FORWARDED = (b"x-forwarded-method", b"x-forwarded-uri", b"x-forwarded-host")
DIALECTS: Mapping[str, Dialect] = {
    each.name: each
    for each in (
        Dialect("nginx", b"x-original-method", b"x-original-uri", b"x-forwarded-host",
                two_statuses=True),
        Dialect("traefik", *_FORWARDED),
        Dialect("caddy", *_FORWARDED),
        Dialect("envoy", None, None, b"host", removes=True),
        Dialect("generic", *_FORWARDED),
    )
}  # fmt: skip


@dataclass(slots=True)
class Asked:
    """The client's request, as its proxy tells it. `path` and `query` are as they were sent."""

    method: str
    path: str
    host: str
    presented: Presented

    @property
    def query(self) -> bytes:
        return self.presented.query

    @property
    def source(self) -> str:
        return self.presented.source


def read_asked(dialect: Dialect, scope: Scope, rest: str) -> Asked | Refused:
    """`rest`: what follows the policy in the address, for a proxy that puts the path there."""
    said: dict[bytes, bytes] = {}
    twice: set[bytes] = set()
    for name, value in scope["headers"]:
        if name in said:
            twice.add(name)
        said[name] = value
    get = said.get
    method = scope["method"] if dialect.method is None else get(dialect.method, b"").decode()
    uri = rest if dialect.uri is None else get(dialect.uri, b"").decode("latin-1")
    host, scheme = get(dialect.host), get(SCHEME)
    wrong = twice and not twice.isdisjoint(_read_by(dialect))
    if wrong or not (method and uri and host and scheme):
        return _lacking(dialect, said, twice)
    path, _, text = uri.partition("?")
    query = text.encode("latin-1") if dialect.uri is not None else scope["query_string"]
    # The last of the list: the only one that a client could not write itself.
    source = get(ADDRESS, b"").rpartition(b",")[2].strip().decode("latin-1")[:64]
    presented = read(
        {
            "headers": scope["headers"],
            "scheme": "https" if scheme.lower() == b"https" else "http",
            "query_string": query,
            "client": (source, 0) if source else scope.get("client"),
        }
    )
    return Asked(method, path, host.decode("latin-1"), presented)


def _read_by(dialect: Dialect) -> tuple[bytes, ...]:
    named = (dialect.method, dialect.uri, dialect.host, SCHEME)
    return tuple(each for each in named if each is not None)


def _lacking(dialect: Dialect, said: Mapping[bytes, bytes], twice: set[bytes]) -> Refused:
    """What the proxy must send, and does not, in the words of whoever sets it up."""
    wanted = {
        dialect.method: "the method of the client's request",
        dialect.uri: "the client's path and query",
        dialect.host: "the host that the client asked",
        SCHEME: "whether the client came over https",
    }
    lacks = [
        f"{name.decode().title()}, {what}, "
        + ("once, as its own and not the client's" if name in twice else "which is missing")
        for name, what in wanted.items()
        if name is not None and (name in twice or not said.get(name))
    ]
    if not lacks:
        lacks = ["the client's path after the policy"]
    detail = f"The proxy ({dialect.name}) must send {'; '.join(lacks)}."
    return Refused(Fault.PROXY_MISCONFIGURED, detail)
