"""What a delete takes on PostgreSQL, with one worker and with four, and with one of them stopped.

    python -m bench.deletes [--deletes N]

Workers are processes of one environment, each with its own lease; they and the database run on all
cores. With one
stopped (SIGSTOP) the first delete waits for its lease, 1.25 L, and no later one does: then it goes
on, and must not accept what was deleted meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.postgres import Server, postgres_server

from bench.loads import ROOT
from bench.peers.contenders import ALL, MIDDLEWARE, started
from bench.peers.keys import GOOD, Key, ask, delete, make
from keyhalt.core.leases import GUARD_FACTOR

ALLOWANCE_MS = 50
KEYHALT = next(each for each in ALL if each.name == MIDDLEWARE["PostgreSQL"])


@contextmanager
def workers(
    count: int, lease: float, server: Server, folder: Path
) -> Iterator[list[tuple[int, int]]]:
    """Port and process of each."""
    os.environ["KEYHALT_LEASE_SECONDS"] = str(lease)
    url = server.create()
    with ExitStack() as stack:
        found = [stack.enter_context(started(KEYHALT, url, folder)) for _ in range(count)]
        for _, pid in found:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), range(os.cpu_count() or 1))
        yield found


def accepts(port: int, key: Key) -> bool:
    return ask("GET", port, "/", {key.header: key.texts[GOOD]})[0] == 200


def timed(port: int, key: Key) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    delete(port, key)
    return (time.perf_counter() - began) * 1000


def healthy(found: list[tuple[int, int]], count: int) -> dict[str, float]:
    times = []
    for _ in range(count):
        key = make(found[0][0])
        assert all(accepts(port, key) for port, _ in found)
        times.append(timed(found[0][0], key))
        assert not any(accepts(port, key) for port, _ in found), "accepted after its delete"
    ordered = statistics.quantiles(times, n=100)
    return {"p50_ms": ordered[49], "p99_ms": ordered[98], "max_ms": max(times)}


def stopped(found: list[tuple[int, int]], lease: float) -> dict[str, float]:
    (port, _), (other, pid) = found[0], found[-1]
    keys = [make(port) for _ in range(4)]
    assert all(accepts(each, key) for each in (port, other) for key in keys)
    os.kill(pid, signal.SIGSTOP)
    try:
        times = [timed(port, key) for key in keys]
    finally:
        os.kill(pid, signal.SIGCONT)
    assert not any(accepts(other, key) for key in keys), "accepted by a worker that was stopped"
    limit = lease * GUARD_FACTOR * 1000 + ALLOWANCE_MS
    return {"first_ms": times[0], "first_at_most_ms": limit, "later_max_ms": max(times[1:])}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deletes", type=int, default=200)
    options = parser.parse_args()
    result: dict[str, dict[str, float]] = {}
    with ExitStack() as stack:
        server = stack.enter_context(postgres_server())
        if isinstance(server, str):
            print(server)
            return 1
        for count, lease in ((1, 1.0), (1, 10.0), (4, 1.0), (4, 10.0)):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            with workers(count, lease, server, Path(folder)) as found:
                name = f"{count} workers, lease {lease:.0f} s"
                result[name] = healthy(found, options.deletes)
                if count > 1:
                    result[name] |= stopped(found, lease)
            told = "  ".join(f"{word} {value:,.1f}" for word, value in result[name].items())
            print(f"{name:24} {told}", flush=True)
    file = ROOT / "bench" / "results" / "deletes.json"
    file.write_text(json.dumps(result, indent=1) + "\n")
    late = [
        name
        for name, row in result.items()
        if row.get("first_ms", 0) > row.get("first_at_most_ms", 0)
    ]
    return bool(late)


if __name__ == "__main__":
    sys.exit(main())
