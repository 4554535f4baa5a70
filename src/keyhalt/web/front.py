"""The outermost layer: what every request passes, whatever answers it in the end.

A request id, one folding of the path, no exception that reaches a client, one line of log.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from keyhalt.client.credentials import request_id_of, shown_path
from keyhalt.client.middleware import with_headers
from keyhalt.client.observed import observed
from keyhalt.client.problems import problem_of
from keyhalt.core.refusals import Fault, Refused
from keyhalt.web.answers import send_problem
from keyhalt.web.resources import fold_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keyhalt.client.middleware import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger("keyhalt.web")
_access = logging.getLogger("keyhalt.access")


class Front:
    """`exact` answers single addresses, `behind` all the rest below /api/, `other` what is left."""

    def __init__(
        self,
        *,
        exact: Mapping[str, ASGIApp],
        behind: ASGIApp,
        other: ASGIApp,
        realm: str,
        on_stop: Callable[[], None],
    ) -> None:
        self._exact = exact
        self._behind = behind
        self._other = other
        self._realm = realm
        self._on_stop = on_stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send, self._on_stop)
            return
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close", "code": 1003})
            return
        request_id = request_id_of(scope)
        headers = (
            (b"x-request-id", request_id.encode()),
            (b"x-content-type-options", b"nosniff"),
        )
        watched = _Watched(with_headers(send, headers))
        started = time.perf_counter()
        try:
            await self._app(scope)(scope, receive, watched)
        except Exception:  # noqa: BLE001 - whatever it is, the client gets a plain 500
            told = {"keyhalt": {"request_id": request_id}}
            _log.exception("request %s failed", request_id, extra=told)
            if not watched.status:
                await self._fail(watched, request_id)
        if _access.isEnabledFor(logging.INFO):
            _tell(scope, watched.status, time.perf_counter() - started)

    def _app(self, scope: Scope) -> ASGIApp:
        path = fold_path(scope["path"])
        if path.startswith("/api/"):
            scope["path"] = path = path.rstrip("/")
            return self._exact.get(path, self._behind)
        return self._exact.get(scope["path"], self._other)

    async def _fail(self, send: Send, request_id: str) -> None:
        detail = "Something went wrong here. The request id finds it in the log."
        refused = Refused(Fault.INTERNAL_ERROR, detail)
        await send_problem(send, problem_of(refused, realm=self._realm, request_id=request_id))


def _tell(scope: Scope, status: int, seconds: float) -> None:
    fields = {
        "method": scope["method"],
        "path": shown_path(scope["path"]),
        "status": status,
        "duration_ms": round(seconds * 1000, 1),
        **observed(scope),
    }
    _access.info(
        "%(method)s %(path)s %(status)d %(duration_ms).1f ms %(request_id)s",
        fields,
        extra={"keyhalt": fields},
    )


class _Watched:
    """`send`, and the status that was sent; 0 when nothing was."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


async def _lifespan(receive: Receive, send: Send, on_stop: Callable[[], None]) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    on_stop()
    await send({"type": "lifespan.shutdown.complete"})
