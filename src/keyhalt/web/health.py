"""Is the process alive, and can it answer? No credential, no secret, nothing of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from keyhalt.client.operations import Reply
from keyhalt.web.answers import send_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keyhalt.client.middleware import ASGIApp, Receive, Scope, Send
    from keyhalt.web.forward_auth.assertions import Signer


def livez() -> ASGIApp:
    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send_reply(send, Reply({"status": "alive"}))

    return answer


def readyz(checks: Mapping[str, Callable[[], bool]]) -> ASGIApp:
    """200 when every check holds, else 503; the answer names each."""

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        found = {name: await run_in_threadpool(_holds, check) for name, check in checks.items()}
        ready = all(found.values())
        body = {"status": "ready" if ready else "not ready", "checks": found}
        await send_reply(send, Reply(body, status=200 if ready else 503))

    return answer


def jwks(signer: Signer) -> ASGIApp:
    """The public keys of assertions. A key is published before the first signature with it."""

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send_reply(send, Reply(signer.jwks()))

    return answer


def metrics(scrape: Callable[[], tuple[bytes, str]]) -> ASGIApp:
    """What `scrape` gives, made on a thread: it asks the store."""

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        body, media_type = await run_in_threadpool(scrape)
        headers = [
            (b"content-type", media_type.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception:  # noqa: BLE001 - whatever is wrong, the answer is "not ready"
        return False
