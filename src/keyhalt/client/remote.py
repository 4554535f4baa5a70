"""A verifier that asks a Keyhalt server, on every request. Standard library only.

It remembers nothing, so what the server has revoked is refused here at the next request. When
the server cannot be asked in time, nothing is allowed: 503.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from keyhalt.client.names import Names
from keyhalt.client.questions import SECRET_HEADER, VERIFY_PATH, decision_in, question_of
from keyhalt.core.decisions import Cause, Decision, Denied, Presented, Reason

if TYPE_CHECKING:
    from keyhalt.core.audit import Origin
    from keyhalt.core.permissions import Need
    from keyhalt.core.principals import Principal

TIMEOUT_SECONDS = 2.0
CONNECTIONS_MAX = 32
_ANSWER_BYTES_MAX = 64 * 1024
_UNAVAILABLE = Denied(Reason.UNAVAILABLE, Cause.STORE_UNAVAILABLE, retry_after_seconds=1)
_log = logging.getLogger("keyhalt.remote")


class RemoteVerifier:
    """`RemoteVerifier("http://127.0.0.1:8081")`: the address of a server's internal listener.

    `secret`: that listener's, when it has one. `timeout_seconds` is for the whole question, with
    its one retry after a connection that broke. Permissions are compared by name. May be used
    from any thread and event loop, also of a forked process; `close()` lets go of connections.
    """

    def __init__(
        self,
        url: str,
        *,
        realm: str = "keyhalt",
        secret: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        connections_max: int = CONNECTIONS_MAX,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        address = urlsplit(url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError("the address of a Keyhalt server is http://host:port or https://...")
        self._host, self._port = address.hostname, address.port
        self._path = address.path.rstrip("/") + VERIFY_PATH
        self._tls = (tls or ssl.create_default_context()) if address.scheme == "https" else None
        self._headers = {"Content-Type": "application/json"}
        if secret:
            self._headers[SECRET_HEADER] = secret
        self._timeout = timeout_seconds
        self._realm = realm
        self._connections_max = connections_max
        self._names = Names()
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._idle: list[http.client.HTTPConnection] = []
        self._threads = ThreadPoolExecutor(self._connections_max, "keyhalt-remote")

    def _begin_in_fork(self) -> None:
        """Two processes on one connection would read each other's answers; threads do not fork."""
        if self._process != os.getpid():
            self._begin()

    @property
    def realm(self) -> str:
        return self._realm

    def need(self, name: str) -> Need:
        """Any well-formed name: what the server does not know, nobody has."""
        return self._names.need(name)

    def remembered(self, key: bytes | None, over_https: bool, /) -> None:  # noqa: FBT001 - see Remembered
        """Nothing is."""
        del key, over_https

    async def verify(self, presented: Presented) -> Decision:
        """Ask, in a thread of its own pool, so that a slow server holds up nobody else's work."""
        self._begin_in_fork()
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._threads, self.verify_now, presented)
        try:
            return await asyncio.wait_for(asked, self._timeout)
        except TimeoutError:
            return _UNAVAILABLE

    def verify_now(self, presented: Presented) -> Decision:
        """The same, waiting here. Never raises for anything that a server can do."""
        self._begin_in_fork()
        body = json.dumps(question_of(presented)).encode()
        until = time.monotonic() + self._timeout
        while True:
            connection, reused = self._connection()
            try:
                status, data = self._ask(connection, body, until)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                # A connection that was idle may have been closed by the server meanwhile.
                if reused and time.monotonic() < until:
                    continue
                _log.warning("the Keyhalt server cannot be asked: %s", type(error).__name__)
                return _UNAVAILABLE
            self._idle.append(connection)
            return self._decision(status, data)

    def refused(self, denied: Denied, origin: Origin) -> Denied:
        """The server recorded what it refused. What this process refuses it does not know of."""
        del origin
        return denied

    def used(self, principal: Principal, *how: object) -> None:
        """The server has counted it."""

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        while self._idle:
            self._idle.pop().close()

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        try:
            return self._idle.pop(), True
        except IndexError:
            pass
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port), False
        return http.client.HTTPSConnection(self._host, self._port, context=self._tls), False

    def _ask(
        self, connection: http.client.HTTPConnection, body: bytes, until: float
    ) -> tuple[int, bytes]:
        # A socket's time-out is per operation; what is left of the whole is set before each.
        connection.timeout = max(0.001, until - time.monotonic())
        if connection.sock is not None:
            connection.sock.settimeout(connection.timeout)
        connection.request("POST", self._path, body, self._headers)
        if connection.sock is not None:
            connection.sock.settimeout(max(0.001, until - time.monotonic()))
        answer = connection.getresponse()
        data = answer.read(_ANSWER_BYTES_MAX)
        if not answer.isclosed():
            raise http.client.HTTPException("an answer of more than 64 KiB")
        return answer.status, data

    def _decision(self, status: int, data: bytes) -> Decision:
        if status != http.HTTPStatus.OK:
            _log.warning("the Keyhalt server answered %d where 200 was expected", status)
            return _UNAVAILABLE
        try:
            answer: dict[str, Any] = json.loads(data)
            return decision_in(answer, self._names.bits)
        except (ValueError, KeyError, TypeError, AttributeError):
            _log.warning("the Keyhalt server answered what is no decision")
            return _UNAVAILABLE
