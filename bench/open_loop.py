"""How long an answer takes at half of what the server could do: `python -m bench.open_loop`.

    python -m bench.open_loop [--rounds N] [--seconds N]

Requests come when they come (a Poisson process from a seed), whether earlier ones are answered or
not, and their time counts from when they were due: so a server that stands still is charged for all
who waited. The rate is half of what the same server reached in a closed loop just before. Server on
core 0, load on core 1, rounds interleaved; claims are ratios to the bare app's p99.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import socket
import statistics
import sys
import tempfile
import time
from collections import deque
from contextlib import ExitStack
from pathlib import Path

from bench.database import counting_server
from bench.figures import figure, in_turn
from bench.loads import LOAD_CORE, ROOT, drive
from bench.peers.__main__ import Running, start, tell
from bench.peers.contenders import ALL, BARE, FORWARD, MIDDLEWARE, TELLING
from bench.peers.keys import GOOD

CONNECTIONS = 64
SHARE = 0.5
RATIO_MAX = 3.0
WARM_SECONDS = 1
ANSWER_BYTES = 65_536
_END = b"\r\n\r\n"


class Connection:
    """One request at a time. `due`: when that was due; the answer's length is told by its head."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = 0.0
        self._had = b""

    def ask(self, request: bytes, due: float) -> None:
        self.due = due
        self.socket.sendall(request)

    def answered(self) -> bool:
        """Whether the answer is whole. Raises OSError where it is no 200."""
        more = self.socket.recv(ANSWER_BYTES)
        if not more:
            raise OSError("the server hung up")
        self._had += more
        head, end, body = self._had.partition(_END)
        if not end:
            return False
        if not head.startswith(b"HTTP/1.1 200"):
            raise OSError(f"answered {head[:40]!r}")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return False
        self._had = b""
        return True


def seconds_taken(
    port: int, requests: list[bytes], rate: float, seconds: float, seed: int
) -> list[float]:
    """Of each answer, from when its request was due; without the first second."""
    draw = random.Random(seed).expovariate
    connections = [Connection(port) for _ in range(CONNECTIONS)]
    by_number = {each.socket.fileno(): each for each in connections}
    poll = select.epoll()
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    idle, waiting, taken = list(connections), deque[float](), []
    now = began = time.perf_counter()
    due, asked = began + draw(rate), 0
    while now < began + WARM_SECONDS + seconds:
        # Never asleep: this core has nothing else to do, and a sleep would be as long as an answer.
        for number, _ in poll.poll(0):
            each = by_number[number]
            if each.answered():
                if each.due >= began + WARM_SECONDS:
                    taken.append(time.perf_counter() - each.due)
                idle.append(each)
        now = time.perf_counter()
        while due <= now:
            waiting.append(due)
            due += draw(rate)
        while waiting and idle:
            idle.pop().ask(requests[asked % len(requests)], waiting.popleft())
            asked += 1
    poll.close()
    for each in connections:
        each.socket.close()
    # Who still waits has waited for as long as this at least.
    return taken + [now - due for due in waiting]


def requests_of(running: Running) -> list[bytes]:
    told = running.contender
    return [
        f"GET {told.path} HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\n".encode()
        + "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        + b"\r\n"
        for headers in running.ring.sent(GOOD)
    ]


def measure(running: Running, seconds: int, seed: int) -> dict[str, float]:
    most = drive(running.port, running.contender.path, running.ring.sent(GOOD), seconds).rate
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    try:
        taken = seconds_taken(running.port, requests_of(running), most * SHARE, seconds, seed)
    finally:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    cuts = statistics.quantiles(taken, n=100)
    return {
        "asked_a_second": most * SHARE,
        "answered_a_second": len(taken) / seconds,
        "p50_us": cuts[49] * 1e6,
        "p99_us": cuts[98] * 1e6,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.open_loop", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    said = parser.parse_args()
    names = (BARE, TELLING, *MIDDLEWARE.values(), *FORWARD.values())
    found: dict[str, list[dict[str, float]]] = {}
    with ExitStack() as stack:
        server = stack.enter_context(counting_server())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tell(folder)
        tried = [start(stack, each, server, folder) for each in ALL if each.name in names]
        running = {each.contender.name: each for each in tried if each is not None}
        for turn in range(said.rounds):
            for name in in_turn(list(running), turn):
                found.setdefault(name, []).append(measure(running[name], said.seconds, turn))
    rows = {}
    for name, rounds in found.items():
        limit = TELLING if name in FORWARD.values() else BARE
        pairs = zip(rounds, found[limit], strict=True)
        row = {word: figure([each[word] for each in rounds]).median for word in rounds[0]}
        row["ratio"] = statistics.median(one["p99_us"] / other["p99_us"] for one, other in pairs)
        rows[name] = row
        print(
            f"{name:34} {row['asked_a_second']:8,.0f}/s  p50 {row['p50_us']:6.0f} us"
            f"  p99 {row['p99_us']:7.0f} us  {row['ratio']:.2f} of {limit} (at most {RATIO_MAX})"
        )
    (ROOT / "bench" / "results" / "open-loop.json").write_text(json.dumps(rows, indent=1) + "\n")
    return int(any(row["ratio"] > RATIO_MAX for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
