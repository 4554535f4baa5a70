"""Between a proxy and Keyhalt, and in front of a proxy: bytes as they are, faults on purpose."""

from __future__ import annotations

import http.client
import json
import select
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any

HANG = b"/hang"


@dataclass(frozen=True)
class Got:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key.lower() == name)


def send(
    port: int,
    path: str = "/orders/17",
    *headers: tuple[str, str],
    method: str = "GET",
    body: bytes = b"",
    source: str = "127.0.0.1",
) -> Got:
    """One request, its path and headers sent exactly so."""
    lines = [f"{method} {path} HTTP/1.1", "Host: api.example", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    with socket.create_connection(("127.0.0.1", port), 60, (source, 0)) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        answer = http.client.HTTPResponse(connection, method=method)
        try:
            answer.begin()
        except http.client.BadStatusLine:
            return Got(0, [], b"")
        with answer:
            return Got(answer.status, answer.getheaders(), answer.read())


class Relay(threading.Thread):
    """Passes on what a proxy asks; can be gone, and never answers a question about `/hang`."""

    def __init__(self, target: int) -> None:
        super().__init__(daemon=True)
        self.target = target
        self.port = 0
        self._listener = self._listen()
        self._ended = threading.Event()
        self._open: set[socket.socket] = set()

    def _listen(self) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        return listener

    def down(self) -> None:
        """Refuse connections, and break those that are open."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def up(self) -> None:
        self._listener = self._listen()

    def cut(self) -> None:
        """Break what is open, so that the next question takes a new connection."""
        for each in list(self._open):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def stop(self) -> None:
        self._ended.set()
        self.down()
        self.join(10)

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                time.sleep(0.01)
                continue
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self.target)) as server:
            ends = {client, server}
            self._open |= ends
            try:
                self._copy(client, server)
            except OSError:
                pass
            finally:
                self._open -= ends

    def _copy(self, client: socket.socket, server: socket.socket) -> None:
        while True:
            ready, _, _ = select.select([client, server], [], [])
            for end in ready:
                data = end.recv(65536)
                if not data:
                    return
                if end is client and HANG in data:
                    continue
                (server if end is client else client).sendall(data)
