"""Several environments behind one server: which application a request is for.

The host decides, before anything else is looked at; what is done then is one environment's alone.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.client.credentials import request_id_of
from keyhalt.client.problems import problem_of
from keyhalt.core.hosts import host_of, is_address
from keyhalt.core.refusals import Fault, Refused
from keyhalt.web import health
from keyhalt.web.answers import send_problem
from keyhalt.web.front import Front

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from keyhalt.client.middleware import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Served:
    """One environment. `hosts`: as core/hosts.py gives them, none of them another's.

    `internal_port`: where its listener for proxies is, if it has one.
    """

    name: str
    hosts: Sequence[str]
    app: ASGIApp
    ready: Callable[[], bool]
    internal_port: int | None = None


def by_host(served: Sequence[Served]) -> ASGIApp:
    """Each environment at its hosts; elsewhere 421, and to who asks by address how all are.

    X-Forwarded-Host is not read: a proxy passes Host on, or whoever asks would choose. At a
    listener for proxies the host is the protected app's, so there the port decides.
    """
    at_port = {each.internal_port: each.app for each in served if each.internal_port}
    at = {host: each.app for each in served for host in each.hosts}
    nobody = Front(
        exact={
            "/livez": _by_address(health.livez()),
            "/readyz": _by_address(health.readyz({each.name: each.ready for each in served})),
        },
        behind=_misdirected,
        other=_misdirected,
        realm="",
        on_stop=lambda: None,
    )

    def choose(scope: Scope) -> ASGIApp:
        return at_port.get(_port(scope)) or at.get(_host(scope), nobody)

    return _together([each.app for each in served], choose)


def by_port(apps: Mapping[int, ASGIApp]) -> ASGIApp:
    """Each application at the port that a request arrived at."""
    return _together(list(apps.values()), lambda scope: apps[_port(scope)])


def _port(scope: Scope) -> int:
    """Where a request arrived; 0 where that is no port."""
    local = scope.get("server")
    return (local and local[1]) or 0


def _host(scope: Scope) -> str:
    """Empty for what is no host; two of them are none (RFC 9112 3.2)."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    return (host_of(hosts[0].decode("latin-1")) or "") if len(hosts) == 1 else ""


def _by_address(app: ASGIApp) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        named = any(name == b"host" and value for name, value in scope["headers"])
        right = is_address(_host(scope)) if named else True
        await (app if right else _misdirected)(scope, receive, send)

    return answer


async def _misdirected(scope: Scope, _receive: Receive, send: Send) -> None:
    refused = Refused(Fault.MISDIRECTED_REQUEST, "No environment is served under this host.")
    await send_problem(send, problem_of(refused, realm="", request_id=request_id_of(scope)))


def _together(apps: Sequence[ASGIApp], choose: Callable[[Scope], ASGIApp]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespans(apps, scope, receive, send)
        else:
            await choose(scope)(scope, receive, send)

    return app


async def _lifespans(apps: Sequence[ASGIApp], scope: Scope, receive: Receive, send: Send) -> None:
    """Start all, then stop all. One that fails fails the whole."""
    inboxes: list[asyncio.Queue[Message]] = [asyncio.Queue() for _ in apps]
    outbox: asyncio.Queue[Message] = asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        running = [
            group.create_task(_run(app, dict(scope), inbox.get, outbox.put))
            for app, inbox in zip(apps, inboxes, strict=True)
        ]
        for _ in ("startup", "shutdown"):
            message = await receive()
            for inbox in inboxes:
                inbox.put_nowait(dict(message))
            answers = [await outbox.get() for _ in apps]
            failed = [each for each in answers if each["type"].endswith(".failed")]
            await send(failed[0] if failed else answers[0])
            if failed:
                for task in running:
                    task.cancel()
                return


async def _run(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)
