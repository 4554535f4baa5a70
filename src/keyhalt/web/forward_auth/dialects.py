"""What each kind of proxy says about the request it asks about. docs/forward-auth.md.

A dialect reads only the headers that its proxy writes itself, because a client's own pass through
some of them. A header that is missing, or there twice, means that the proxy is not set up as our
examples show; guessing would be worse than refusing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from keyhalt.client.credentials import KEY_HEADER, only_key, read
from keyhalt.core.refusals import Fault, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keyhalt.client.middleware import Scope
    from keyhalt.core.decisions import Presented
    from keyhalt.core.freshness import Tag


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


class Asked:
    """The client's request, as its proxy tells it: `path` and `query` as they were sent.

    `said`: the headers of the proxy's question, the last of each name. `tag`: the state of the
    store when the question was looked at first.
    """

    __slots__ = ("dialect", "key", "method", "over_https", "path", "query", "said", "scope", "tag")

    def __init__(  # noqa: PLR0917 - one place makes it
        self,
        dialect: Dialect,
        scope: Scope,
        said: Mapping[bytes, bytes],
        method: bytes,
        path: bytes,
        query: bytes,
        key: bytes | None,
        over_https: bool,  # noqa: FBT001 - as it is read
    ) -> None:
        self.dialect = dialect
        self.scope = scope
        self.said = said
        self.method = method
        self.path = path
        self.query = query
        self.key = key
        self.over_https = over_https
        self.tag: Tag | None = None

    @property
    def host(self) -> bytes:
        return self.said[self.dialect.host]

    @property
    def client(self) -> tuple[str, bytes]:
        """Its address, and what program it says it is."""
        return _client_of(self.said.get(ADDRESS, b""), self.said.get(b"user-agent", b""))

    @property
    def presented(self) -> Presented:
        source = self.client[0]
        return read(
            {
                "headers": self.scope["headers"],
                "scheme": "https" if self.over_https else "http",
                "query_string": self.query,
                "client": (source, 0) if source else self.scope.get("client"),
            }
        )


@lru_cache(maxsize=1024)
def _client_of(addresses: bytes, agent: bytes) -> tuple[str, bytes]:
    """The last of the addresses: the only one that a client could not write itself.

    The same tuple for the same client, so that whoever counts use sees at once that it is.
    """
    return addresses.rpartition(b",")[2].strip().decode("latin-1")[:64], agent


def read_asked(dialect: Dialect, scope: Scope, rest: bytes) -> Asked | Refused:
    """`rest`: what follows the policy in the address, for a proxy that puts the path there."""
    headers = scope["headers"]
    said = dict(headers)
    key = said.get(KEY_HEADER)
    if len(said) != len(headers):
        twice = _twice(headers)
        if not twice.isdisjoint(_read_by(dialect)):
            return _lacking(dialect, said, twice)
        key = only_key(headers)
    try:
        secure = said[SCHEME]
        if dialect.uri is None:
            method, path, query = scope["method"].encode(), rest, scope["query_string"]
        else:
            method, path, query = said[dialect.method], said[dialect.uri], b""
            if b"?" in path:
                path, _, query = path.partition(b"?")
        if not (method and path and secure and said[dialect.host]):
            return _lacking(dialect, said, set())
    except KeyError:
        return _lacking(dialect, said, set())
    return Asked(dialect, scope, said, method, path, query, key, secure.lower() == b"https")


def _twice(headers: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    counts = Counter(name for name, _ in headers)
    return {name for name, count in counts.items() if count > 1}


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
