"""Running the application under uvicorn (docs/decisions/0002)."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors import Multiprocess

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyhalt.client.middleware import ASGIApp

HEADER_BYTES_MAX = 64 * 1024
IDLE_SECONDS = 0.25
# How long a worker may take to answer its parent, and a new one to get ready, before it is
# killed: in the 5 s that are usual a busy machine starts none, and a restart ends half way.
WORKER_SECONDS = 30
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedHeaders(HttpToolsProtocol):
    """The server's HTTP, with an end to how much header it collects: a bare 431 above 64 KiB.

    What still arrives is then thrown away for a second, so that the client gets to read the 431.
    """

    _in_head = True
    _head_bytes = 0
    _heads = 0
    _refused = False
    _ending = False

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        heads = self._heads
        super().data_received(data)
        if not self._in_head or heads != self._heads:
            # What follows a finished head in the same chunk is a body, or at most one chunk.
            self._head_bytes = 0
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEADER_BYTES_MAX:
            self._refused = True
            self.transport.write(_TOO_LARGE)
            self.loop.call_later(1.0, self.transport.close)

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()
        if self._ending and self.cycle is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        # A request may be on its way on a connection that looks idle, most of all on one that
        # was just accepted: it is answered, and the connection closed after it.
        self._ending = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(IDLE_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def on_message_complete(self) -> None:
        self._in_head = True
        self._heads += 1
        super().on_message_complete()


class Supervisor(Multiprocess):
    """The parent of the workers. Tells `bury` the pid of each that died or was found hanging.

    SIGHUP replaces each worker by a new one that is ready first; SIGTERM lets all end in order.
    """

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket.socket], bury: Callable[[int], None]
    ) -> None:
        super().__init__(config, sockets)
        self._bury = bury

    def keep_subprocess_alive(self) -> None:
        before = list(self.processes)
        super().keep_subprocess_alive()
        for each in before:
            # One that answered no ping has been killed and replaced just now.
            if each.pid is not None and not each.process.is_alive():
                self._bury(each.pid)


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; `port` 0 takes a free one. Raises OSError when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def server_config(
    app: ASGIApp | str,
    *,
    certificate: str | None = None,
    private_key: str | None = None,
    workers: int = 1,
    factory: bool = False,
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=factory,
        workers=workers,
        http=BoundedHeaders,
        ws="none",
        loop="uvloop",
        lifespan="on",
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,  # client/forwarded.py
        ssl_certfile=certificate,
        ssl_keyfile=private_key,
        timeout_graceful_shutdown=10,
        timeout_worker_healthcheck=WORKER_SECONDS,
        log_config=None,
    )
