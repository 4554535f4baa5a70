"""The internal listener: for proxies and remote verifiers, never for who holds a key.

Whoever could reach it with a key and made-up proxy headers could collect assertions; so it has an
address of its own, and a secret when that address is more than this machine's own.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from keyhalt.client.credentials import request_id_of
from keyhalt.client.questions import SECRET_HEADER
from keyhalt.core.refusals import Fault, Refused
from keyhalt.core.secrets import digest_of, same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keyhalt.client.middleware import ASGIApp, Receive, Scope, Send
    from keyhalt.web.answers import Answers

_HEADER = SECRET_HEADER.lower().encode()


def guarded(app: ASGIApp, secret_digest: bytes | None, answers: Answers) -> ASGIApp:
    """Asks for the listener's secret: in its header, or, for Traefik, as a Basic password."""
    if secret_digest is None:
        return app

    async def asking(scope: Scope, receive: Receive, send: Send) -> None:
        if any(same(digest_of(each), secret_digest) for each in _offered(scope)):
            await app(scope, receive, send)
            return
        request_id_of(scope)
        detail = f"This listener asks for its secret in the header {SECRET_HEADER}."
        await answers.send(scope, send, Refused(Fault.PROXY_SECRET, detail))

    return asking


def _offered(scope: Scope) -> Iterator[bytes]:
    for name, value in scope["headers"]:
        if name == _HEADER:
            yield value
        elif name == b"authorization" and value[:6].lower() == b"basic ":
            try:
                yield base64.b64decode(value[6:], validate=True).partition(b":")[2]
            except binascii.Error:
                continue


def by_listener(
    public: ASGIApp, internal: Callable[[Scope], ASGIApp], internal_port: int
) -> ASGIApp:
    """One server, two listeners: what arrived at `internal_port` is for what `internal` chooses."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        local = scope.get("server")
        here = scope["type"] != "lifespan" and local is not None and local[1] == internal_port
        await (internal(scope) if here else public)(scope, receive, send)

    return app
