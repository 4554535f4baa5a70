"""The plain ASGI layer that authenticates, in front of whatever routes the rest.

On a remembered key it runs without a single await of its own. The app behind it finds the
principal with `principal_in(scope)`; nothing reaches the app without one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol, cast

from keyhalt.client.credentials import origin_of, read
from keyhalt.client.legacy import LegacyNotice
from keyhalt.client.problems import Header, problem_of
from keyhalt.core.audit import Origin
from keyhalt.core.decisions import Decision, Denied, Presented
from keyhalt.core.principals import CredentialKind, Principal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

PRINCIPAL = "keyhalt.principal"


class Verifier(Protocol):
    """What decides. The engine is one; so is a remote one."""

    def remembered(self, presented: Presented) -> Principal | None:
        """Whom this credential acts as, if that was remembered and is still proved fresh."""

    async def verify(self, presented: Presented) -> Decision:
        """Decide by asking the store."""

    def refused(self, denied: Denied, origin: Origin) -> Denied:
        """Record a denial. Returns what to answer: the same, or that there were too many."""


def principal_in(scope: Scope) -> Principal:
    """The principal of a request that passed `Authenticate`. KeyError: the layer is missing."""
    return cast("Principal", scope[PRINCIPAL])


class Authenticate:
    """`Authenticate(app, verifier, realm="Production")`, around any ASGI app."""

    def __init__(
        self, app: ASGIApp, verifier: Verifier, *, realm: str, legacy: LegacyNotice | None = None
    ) -> None:
        self._app = app
        self._verifier = verifier
        self._realm = realm
        self._legacy = (legacy or LegacyNotice()).headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        presented = read(scope)
        principal = self._verifier.remembered(presented)
        if principal is None:
            decision = await self._verifier.verify(presented)
            if isinstance(decision, Denied):
                await self._deny(decision, scope, receive, send)
                return
            principal = decision.principal
        scope[PRINCIPAL] = principal
        if principal.credential.kind is CredentialKind.TOKEN:
            send = with_headers(send, self._legacy)
        await self._app(scope, receive, send)

    async def _deny(self, denied: Denied, scope: Scope, receive: Receive, send: Send) -> None:
        origin = origin_of(scope)
        answer = self._verifier.refused(denied, origin)
        legacy = self._legacy if denied.by_bearer else ()
        if scope["type"] == "websocket":
            # Closing before accepting makes the server answer the handshake with 403.
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await send_problem(send, answer, realm=self._realm, origin=origin, more=legacy)


async def send_problem(
    send: Send, denied: Denied, *, realm: str, origin: Origin, more: tuple[Header, ...] = ()
) -> None:
    problem = problem_of(denied, realm=realm, request_id=origin.request_id, more=more)
    await send(
        {"type": "http.response.start", "status": problem.status, "headers": list(problem.headers)}
    )
    await send({"type": "http.response.body", "body": problem.body})


def with_headers(send: Send, headers: tuple[Header, ...]) -> Send:
    """`send`, with `headers` added to every response that starts."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *headers]}
        await send(message)

    return send_with_headers
