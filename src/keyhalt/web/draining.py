"""An end in order: first not ready, then no new connections, then what runs finishes."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

from keyhalt.client.operations import Reply
from keyhalt.web.answers import send_reply

if TYPE_CHECKING:
    from keyhalt.client.middleware import ASGIApp, Receive, Scope, Send


class Draining:
    """`app`, which after SIGTERM says for `seconds` that it is not ready, and still answers.

    So a load balancer looks away before the server stops to accept. The server's own handler of
    the signal runs after that; a second signal does not wait. For the main thread of a process.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds
        self._draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self._listen_for_the_end()
        elif self._draining and scope["type"] == "http" and scope["path"] == "/readyz":
            await send_reply(send, Reply({"status": "stopping"}, status=503))
            return
        await self._app(scope, receive, send)

    def _listen_for_the_end(self) -> None:
        if self._seconds <= 0:
            return
        loop = asyncio.get_running_loop()
        stop: Any = signal.getsignal(signal.SIGTERM)

        def begin(number: int, frame: object) -> None:
            if self._draining:
                stop(number, frame)
                return
            self._draining = True
            loop.call_soon_threadsafe(loop.call_later, self._seconds, stop, number, frame)

        signal.signal(signal.SIGTERM, begin)
