"""Reading what a request presents from an ASGI scope. The one place that knows the headers."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from keyhalt.core import keytext
from keyhalt.core.audit import Origin
from keyhalt.core.decisions import Presented

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    Scope = MutableMapping[str, Any]

KEY_HEADER = b"eci-apikey"
KEY_HEADER_NAME = "ECI-ApiKey"
SECURE = frozenset({"https", "wss"})
_KEY_PARAMETERS = {"eci-apikey", "eci_apikey", "apikey", "api_key", "api-key"}
_SEGMENT_SHOWN_MAX = 24
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# The common case: whatever it is made of is shown.
_SHOWN = re.compile(rf"(?:/[A-Za-z0-9_.~-]{{0,{_SEGMENT_SHOWN_MAX}}}){{1,11}}")
_SHOWABLE = re.compile(r"[A-Za-z0-9_.~-]*")


def read(scope: Scope) -> Presented:
    """Read once; a WebSocket's `wss` counts as HTTPS. Never raises."""
    keys: tuple[bytes, ...] = ()
    bearer: bytes | None = None
    authorizations = 0
    client = scope.get("client")
    for name, value in scope["headers"]:
        if name == KEY_HEADER:
            keys += (value,)
        elif name == b"authorization":
            authorizations += 1
            scheme, _, token = value.partition(b" ")
            # RFC 9110 11.1: the scheme's case does not count; the official client sends "bearer".
            if scheme.lower() == b"bearer":
                bearer = token.strip(b" ")
    return Presented(
        keys=keys,
        bearer=bearer,
        authorizations=authorizations,
        over_https=scope.get("scheme") in SECURE,
        query=scope.get("query_string", b""),
        source=client[0] if client else "",
    )


def only_key(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The key of a request that has exactly one; what `read` says at length, for the short way."""
    found = None
    for name, value in headers:
        if name == KEY_HEADER:
            if found is not None:
                return None
            found = value
    return found


def key_in_query(query: bytes) -> bytes | None:
    """A key's text, or what is meant as one, in a query string. It never counts as a credential."""
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return None
    for name, value in pairs:
        text = value.encode("utf-8", "replace")
        meant = name.lower() in _KEY_PARAMETERS
        if meant or isinstance(keytext.parse(text), keytext.KeyClaim):
            return text
    return None


def request_id_of(scope: Scope) -> str:
    """The id of a request: what the layer in front said, a well-formed one of the client, or new.

    Said in `scope` from then on.
    """
    said = scope.get("keyhalt.request_id")
    if not isinstance(said, str):
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
                said = value.decode("ascii")
                break
        else:
            said = os.urandom(8).hex()
        scope["keyhalt.request_id"] = said
    return said


def origin_of(scope: Scope) -> Origin:
    """Where a request came from, with nothing in it that could be a secret."""
    client = scope.get("client")
    return Origin(
        request_id=scope.get("keyhalt.request_id", ""),
        source=client[0] if client else "",
        operation=f"{scope.get('method', 'CONNECT')} {shown_path(scope.get('path', ''))}",
    )


def shown_path(path: str) -> str:
    """`path` for logs: a long or odd segment, which may be a pasted key, is shown as `…`."""
    if _SHOWN.fullmatch(path):
        return path
    segments = path.split("/")[:12]
    return "/".join(
        s if len(s) <= _SEGMENT_SHOWN_MAX and _SHOWABLE.fullmatch(s) else "…" for s in segments
    )
