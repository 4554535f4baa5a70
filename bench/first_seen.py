"""What a key costs that a process sees for the first time, as the store grows.

    python -m bench.first_seen [--sizes 1000,100000,1000000] [--rounds N]

In process, on both stores. Beside it the bare driver's read: the same statement, by the same
driver, without anything of ours. Interleaved within a round; the claim is their ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from bench.database import counting_server
from bench.loads import ROOT
from bench.world import fill, make_engine, make_keys
from keyhalt.core.decisions import Allowed, Presented
from keyhalt.embed import Engine
from keyhalt.storage.postgres import Database
from keyhalt.storage.questions import Questions
from keyhalt.storage.sqlite import open_file

BATCH = 200
RATIO_MAX = 1.5
Read = Callable[[int], Awaitable[object]]
"""Of a key's id."""


def sqlite_read(engine: Engine) -> Read:
    connection = open_file(engine.stores.rights_path)
    sql = Questions(SQLiteDialect_pysqlite(paramstyle="qmark")).key_by_id

    async def read(key_id: int) -> object:
        return connection.execute(sql, (key_id,)).fetchone()

    return read


async def postgres_read(url: str) -> Read:
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True, prepare_threshold=0)
    sql = Questions(PGDialect_psycopg(paramstyle="format")).key_by_id.encode()

    async def read(key_id: int) -> object:
        return await (await connection.execute(sql, (key_id,))).fetchone()

    return read


async def microseconds(ask: Callable[[int], Awaitable[object]], ids: range) -> float:
    began = time.perf_counter_ns()
    for each in ids:
        assert await ask(each)
    return (time.perf_counter_ns() - began) / len(ids) / 1000


async def measure(engine: Engine, url: str, size: int, rounds: int) -> tuple[float, float]:
    """Microseconds of a first-seen key and of a bare read: medians over rounds."""
    texts = make_keys(engine, BATCH * (rounds + 1))
    first = size + 1
    read = await postgres_read(url) if url else sqlite_read(engine)

    async def verify(key_id: int) -> bool:
        presented = Presented(keys=(texts[key_id - first],), over_https=True)
        return isinstance(await engine.verify.verify(presented), Allowed)

    ours, bare = [], []
    for turn in range(rounds + 1):
        ids = range(first + turn * BATCH, first + (turn + 1) * BATCH)
        ours.append(await microseconds(verify, ids))
        bare.append(await microseconds(read, ids))
    # The first round opens connections.
    return statistics.median(ours[1:]), statistics.median(bare[1:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1000,100000,1000000")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    result: dict[str, dict[str, float]] = {}
    with counting_server() as server:
        for kind in ("SQLite", "PostgreSQL"):
            if kind == "PostgreSQL" and isinstance(server, str):
                print(server)
                continue
            for size in map(int, options.sizes.split(",")):
                url = "" if kind == "SQLite" or isinstance(server, str) else server.create()
                with tempfile.TemporaryDirectory() as folder:
                    database = Database(url) if url else None
                    engine = make_engine(Path(folder) / "data", 1_000_000, database=database)
                    fill(engine, size)
                    ours, bare = asyncio.run(measure(engine, url, size, options.rounds))
                    engine.close()
                name = f"{kind}, {size:,} keys"
                result[name] = {"first_seen": ours, "bare": bare, "ratio": ours / bare}
                print(
                    f"{name:30} {ours:7.1f} us   the driver's read {bare:7.1f} us"
                    f"   ratio {ours / bare:.2f} (at most {RATIO_MAX})",
                    flush=True,
                )
    file = ROOT / "bench" / "results" / "first-seen.json"
    file.write_text(json.dumps(result, indent=1) + "\n")
    return int(any(row["ratio"] > RATIO_MAX for row in result.values()))


if __name__ == "__main__":
    sys.exit(main())
