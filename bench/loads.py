"""Server processes on core 0, and the load that wrk (Debian's) gives them from core 1."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SERVER_CORE, LOAD_CORE = "0", "1"
CONNECTIONS = 16
START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Load:
    """What came of one. `p50`, `p99`: microseconds, of a closed loop."""

    rate: float
    refused: int
    requests: int
    p50: float
    p99: float


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@contextmanager
def process(
    *command: object,
    port: int,
    cwd: Path = ROOT,
    core: str = SERVER_CORE,
    variables: Mapping[str, str] | None = None,
) -> Iterator[int]:
    """A program on one core from when it listens; ended by its own pid."""
    words = ["taskset", "-c", core, *map(str, command)]
    with tempfile.TemporaryFile() as said:
        running = subprocess.Popen(
            words,
            cwd=cwd,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env={**os.environ, **(variables or {})},
        )
        try:
            limit = time.monotonic() + START_SECONDS
            while not _listens(port):
                if running.poll() is not None or time.monotonic() > limit:
                    said.seek(0)
                    raise OSError(f"{words[3:]} did not start: {said.read().decode()[-600:]}")
                time.sleep(0.05)
            yield running.pid
        finally:
            running.send_signal(signal.SIGTERM)
            try:
                running.wait(10)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def drive(
    port: int,
    path: str,
    headers: Sequence[Mapping[str, str]],
    seconds: float,
    *,
    core: str = LOAD_CORE,
) -> Load:
    """Closed loop on a few connections; the requests differ by their headers, in turn."""
    text = "".join(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        + "".join(f"{name}: {value}\r\n" for name, value in each.items())
        + "\r\n"
        for each in headers
    )
    with tempfile.NamedTemporaryFile("w", newline="") as file:
        file.write(text)
        file.flush()
        script = ROOT / "bench" / "replay.lua"
        loader = [
            "taskset",
            "-c",
            core,
            "wrk",
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{seconds}s",
            "--timeout",
            "60s",
        ]
        ran = subprocess.run(
            [*loader, "-s", str(script), f"http://127.0.0.1:{port}{path}"],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "REQUESTS": file.name},
        )
    told = json.loads(ran.stdout.rstrip().rpartition("\n")[2])
    if told["broken"]:
        raise OSError(f"{told['broken']} of {told['requests']} connections broke: {path}")
    rate = told["requests"] / told["microseconds"] * 1e6
    return Load(rate, told["refused"], told["requests"], told["p50"], told["p99"])


def processor_seconds(pid: int) -> float:
    """Of the process and of those of its children that still run."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(processor_seconds(int(child)) for child in children)
