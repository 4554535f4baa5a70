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
    from collections.abc import Callable, Sequence

    from proofs.network import Namespace

Address = tuple[str, int]
KEYHALT = Path(sys.executable).parent / "keyhalt"
LEASE_SECONDS = 1
START_SECONDS = 60.0
PATH = "/api/v3/nothing"
HERE = "127.0.0.1"
ACCEPTED = 404
"""No such operation: who is told so was let in, and nothing but the key was asked about."""


class Wire:
    """A TCP port that leads to the database. Cut, it holds what comes until it is healed."""

    def __init__(self, wires: Wires, target: str) -> None:
        self._wires = wires
        self._target = target
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def listen(self, host: str) -> None:
        self._server = await asyncio.start_server(self._serve, host, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

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
        with suppress(asyncio.CancelledError):
            await asyncio.gather(self._pass(reader, there[1]), self._pass(there[0], writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                while data := await reader.read(65536):
                    await self._open.wait()
                    writer.write(data)
                    await writer.drain()
        finally:
            writer.transport.abort()


class Wires:
    """All wires, in a thread with a loop of its own."""

    def __init__(self, target: str, hosts: Sequence[str]) -> None:
        """`hosts`: where each of them listens."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.each = [Wire(self, target) for _ in hosts]
        for wire, host in zip(self.each, hosts, strict=True):
            asyncio.run_coroutine_threadsafe(wire.listen(host), self._loop).result(10)

    def call(self, what: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(what)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        for wire in self.each:
            wire.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


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
        namespace: Namespace | None = None,
    ) -> None:
        """`journals`: where it writes down what it does to keep its lease."""
        self.wire = wire
        self.namespace = namespace
        self._lease = lease
        self._journals = {} if journals is None else {"lease_journal": str(journals)}
        self._database = database
        self._data = data
        self._profile = profile
        with socket.create_server((HERE, 0)) as free:
            port = free.getsockname()[1]
        self.address = (HERE if namespace is None else namespace.there, port)
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        there = HERE if self.namespace is None else self.namespace.here
        settings = {
            "data": str(self._data),
            "database_url": f"postgresql://postgres@{there}:{self.wire.port}/{self._database}",
            "apps": "",
            "profile": self._profile,
            "insecure_http": "true",
            "lease_seconds": str(self._lease),
            **self._journals,
            "drain_seconds": "0",
        }
        said = {f"KEYHALT_{name.upper()}": value for name, value in settings.items()}
        host, port = self.address
        command = [str(KEYHALT), "serve", "--host", host, "--port", str(port)]
        return subprocess.Popen(
            command if self.namespace is None else self.namespace.command(*command),
            env={**os.environ, **said},
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        """Until it answers that it is ready. Raises TimeoutError."""
        give_up = time.monotonic() + START_SECONDS
        while ask(self.address, "/readyz") != http.client.OK:
            if self.process.poll() is not None:
                self.process = self._start()
            if time.monotonic() > give_up:
                raise TimeoutError(f"no server at {self.address}")
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


def ask(
    address: Address, path: str, *, key: str = "", method: str = "GET", seconds: float = 20
) -> int:
    """The status, or 0 when there was no answer."""
    connection = http.client.HTTPConnection(*address, timeout=seconds)
    try:
        connection.request(method, path, headers={"ECI-ApiKey": key} if key else {})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
