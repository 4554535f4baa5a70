"""A real server in a thread of this process: for what must be asked over a socket."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from keyhalt.config import load_settings
from keyhalt.main import application
from keyhalt.web.server import listen, server_config
from tests.world import World


@dataclass(frozen=True)
class Running:
    url: str
    internal: str = ""


@contextmanager
def running(app: Any, *listeners: socket.socket) -> Iterator[None]:
    """`app`, answering on `listeners`, until the block ends."""
    for listener in listeners:
        listener.listen(128)
    server = uvicorn.Server(server_config(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": list(listeners)})
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join(30)
        for listener in listeners:
            listener.close()


@contextmanager
def serving(world: World, **said: object) -> Iterator[Running]:
    """The world's own server with both listeners, on an engine of its own."""
    public, internal = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
    port = internal.getsockname()[1]
    settings = load_settings(**{**world.settings, "internal_port": port, **said})
    changes = {"insecure_http": settings.insecure_http}
    app = application(settings, world.other(**changes), [world.orders])
    with running(app, public, internal):
        yield Running(f"http://127.0.0.1:{public.getsockname()[1]}", f"http://127.0.0.1:{port}")


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"
