"""The plain ASGI layer that authenticates, in front of whatever routes the rest.

On a remembered key it runs without a single await of its own. The app behind it finds the
principal with `principal_in(scope)`; nothing reaches the app without one, unless its path is open.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, MutableMapping, Sequence
from typing import Any, Protocol, cast

from keyhalt.client.credentials import SECURE, only_key, origin_of, read, request_id_of
from keyhalt.client.legacy import LegacyNotice
from keyhalt.client.problems import Header, problem_of
from keyhalt.client.setting_up import HttpNotice, open_paths_of
from keyhalt.core.audit import Origin
from keyhalt.core.decisions import Allowed, Decision, Denied, Presented, permit
from keyhalt.core.permissions import NOTHING, Need, PermissionSet
from keyhalt.core.principals import CredentialKind, Principal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

PRINCIPAL = "keyhalt.principal"
VERIFIER = "keyhalt.verifier"
USED = "keyhalt.used"
"""The permissions that let a request through, so far; None: it was denied after all."""


DENIED = "keyhalt.denied"
"""The denial that a request was answered with."""


class Counter(Protocol):
    """What counts the use of keys."""

    def used(
        self,
        principal: Principal,
        bits: PermissionSet,
        method: str,
        path: str,
        client: Sequence[object] | None,
        headers: Sequence[Header],
    ) -> None:
        """Count a request that was let through, by which permissions; returns at once."""


class Remembered(Protocol):
    def __call__(self, key: bytes | None, over_https: bool, /) -> Principal | Denied | None:  # noqa: FBT001 - by position: each request calls it
        """What was decided on `key`, the only one of a request, if that is proved fresh.

        None: it is not remembered, or there is none or more than one key; ask. What was remembered
        came over HTTPS unless that need not be, and this is looked at again: so a hit is what
        asking would give.
        """


class Verifier(Counter, Protocol):
    """What decides. The engine in this process is one; so is a remote one."""

    @property
    def realm(self) -> str:
        """The environment's name, for the challenge."""

    def need(self, name: str) -> Need:
        """The need that `meters.view` names. Raises CatalogueError for an unknown one."""

    @property
    def remembered(self) -> Remembered: ...

    async def verify(self, presented: Presented) -> Decision:
        """Decide by asking the store. A store that cannot be asked is a denial, too."""

    def refused(self, denied: Denied, origin: Origin) -> Denied:
        """Record a denial. Returns what to answer: the same, or that there were too many."""


class NotPermittedError(Exception):
    """Raised by `permitted`; the layer that authenticated turns it into the answer."""

    def __init__(self, denied: Denied) -> None:
        super().__init__(denied.reason.value)
        self.denied = denied


class NotProtectedError(RuntimeError):
    """A permission was asked for where nothing authenticates: a mistake in how an app is set up."""


def principal_in(scope: Scope) -> Principal:
    """The principal of a request that passed `Authenticate`. Raises NotProtectedError."""
    principal = scope.get(PRINCIPAL)
    if principal is None:
        raise NotProtectedError(
            "no key was asked for here: the middleware is missing, or the path is an open one"
        )
    return cast("Principal", principal)


def permitted(scope: Scope, name: str) -> Principal:
    """The principal, if its owner has the permission `name`, such as `meters.view`, now.

    Raises NotPermittedError, NotProtectedError, and CatalogueError for an unknown name.
    """
    principal = principal_in(scope)
    need = scope[VERIFIER].need(name)
    denied = permit(principal, need)
    if denied is not None:
        scope[USED] = None
        raise NotPermittedError(denied)
    scope[USED] = (scope.get(USED) or NOTHING) | need.bits
    return principal


class Authenticate:
    """`Authenticate(app, verifier)`, around any ASGI app.

    `open_paths` ask for no key and have no principal; they compare exactly, so what is not
    literally one of them is asked; TypeError or ValueError for what is no path. `legacy`: what
    answers to a bearer token carry.
    """

    def __init__(
        self,
        app: ASGIApp,
        verifier: Verifier,
        *,
        open_paths: Collection[str] = (),
        legacy: LegacyNotice | None = None,
    ) -> None:
        self._app = app
        self._verifier = verifier
        # Public, so that who times answers can put another in its place (usecases/timing.py).
        self.remembered, self._used = verifier.remembered, verifier.used
        self._open = open_paths_of(open_paths)
        self._notice = HttpNotice()
        self._legacy = (legacy or LegacyNotice()).headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (self._open and scope["path"] in self._open):
            await self._app(scope, receive, send)
            return
        headers, answer = scope["headers"], send
        principal = self.remembered(only_key(headers), scope.get("scheme") in SECURE)
        if principal is None:
            decision = await self._verifier.verify(read(scope))
            if isinstance(decision, Allowed):
                principal = decision.principal
                # A token is never remembered, so what answers to one carry is added here only.
                if principal.credential.kind is CredentialKind.TOKEN:
                    answer = with_headers(send, self._legacy)
            else:
                principal = decision
        if isinstance(principal, Denied):
            await self.deny(principal, scope, receive, send)
            return
        scope[PRINCIPAL] = principal
        scope[VERIFIER] = self._verifier
        try:
            await self._app(scope, receive, answer)
        except NotPermittedError as no:
            await self.deny(no.denied, scope, receive, send)
        finally:
            bits = scope.get(USED, NOTHING)
            if bits is not None:
                method, client = scope.get("method", "CONNECT"), scope.get("client")
                self._used(principal, bits, method, scope["path"], client, headers)

    async def deny(self, denied: Denied, scope: Scope, receive: Receive, send: Send) -> None:
        """Record a denial and answer it. Nothing was answered yet."""
        scope[DENIED] = denied
        self._notice(denied)
        request_id_of(scope)
        origin = origin_of(scope)
        answer = self._verifier.refused(denied, origin)
        legacy = self._legacy if denied.by_bearer else ()
        if scope["type"] == "websocket":
            # Closing before accepting makes the server answer the handshake with 403.
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        realm = self._verifier.realm
        problem = problem_of(answer, realm=realm, request_id=origin.request_id, more=legacy)
        headers = list(problem.headers)
        await send({"type": "http.response.start", "status": problem.status, "headers": headers})
        await send({"type": "http.response.body", "body": problem.body})


def count(verifier: Counter, principal: Principal, scope: Scope) -> None:
    """Tell the verifier of a request that is over, unless it was denied."""
    bits = scope.get(USED, NOTHING)
    if bits is not None:
        method, headers = scope.get("method", "CONNECT"), scope["headers"]
        verifier.used(principal, bits, method, scope["path"], scope.get("client"), headers)


def with_headers(send: Send, headers: tuple[Header, ...]) -> Send:
    """`send`, with `headers` added to every response that starts."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *headers]}
        await send(message)

    return send_with_headers
