"""Real servers on a real PostgreSQL, each behind a wire that can be cut, for the chaos run."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

KEYHALT = Path(sys.executable).parent / "keyhalt"
LEASE_SECONDS = 1
START_SECONDS = 60.0
PATH = "/api/v3/nothing"
ACCEPTED = 404
"""No such operation: who is told so was let in, and nothing but the key was asked about."""


class Wire:
    """A TCP port that leads to the database. Cut, it holds what comes until it is healed."""

    def __init__(self, wires: Wires, target: str) -> None:
        self._wires = wires
        self._target = target
        self._open = asyncio.Event()
        self._open.set()
        self.port = 0

    async def listen(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        self._wires.call(self._open.clear)

    def heal(self) -> None:
        self._wires.call(self._open.set)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_unix_connection(self._target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pass(reader, there[1]), self._pass(there[0], writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        with suppress(OSError, RuntimeError):
            writer.close()


class Wires:
    """All wires, in a thread with a loop of its own."""

    def __init__(self, target: str, count: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.each = [Wire(self, target) for _ in range(count)]
        for wire in self.each:
            asyncio.run_coroutine_threadsafe(wire.listen(), self._loop).result(10)

    def call(self, what: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(what)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


class Running:
    """One `keyhalt serve`, which may be stopped, killed and started again."""

    def __init__(
        self,
        wire: Wire,
        database: str,
        data: Path,
        profile: str,
        lease: float = LEASE_SECONDS,
        journals: Path | None = None,
    ) -> None:
        """`journals`: where it writes down what it does to keep its lease."""
        self.wire = wire
        self._lease = lease
        self._journals = {} if journals is None else {"lease_journal": str(journals)}
        self._database = database
        self._data = data
        self._profile = profile
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        settings = {
            "data": str(self._data),
            "database_url": f"postgresql://postgres@127.0.0.1:{self.wire.port}/{self._database}",
            "apps": "",
            "profile": self._profile,
            "insecure_http": "true",
            "lease_seconds": str(self._lease),
            **self._journals,
            "drain_seconds": "0",
        }
        said = {f"KEYHALT_{name.upper()}": value for name, value in settings.items()}
        return subprocess.Popen(
            [KEYHALT, "serve", "--port", str(self.port)],
            env={**os.environ, **said},
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        """Until it answers that it is ready. Raises TimeoutError."""
        give_up = time.monotonic() + START_SECONDS
        while ask(self.port, "/readyz") != http.client.OK:
            if self.process.poll() is not None:
                self.process = self._start()
            if time.monotonic() > give_up:
                raise TimeoutError(f"no server on port {self.port}")
            time.sleep(0.05)

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        self.process = self._start()

    def close(self) -> None:
        self.go_on()
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        self.process.kill()
        self.process.wait()


def ask(port: int, path: str, *, key: str = "", method: str = "GET", seconds: float = 20) -> int:
    """The status, or 0 when there was no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request(method, path, headers={"ECI-ApiKey": key} if key else {})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
