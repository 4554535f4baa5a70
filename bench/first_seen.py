"""What a key costs that a process sees for the first time, as the store grows.

    python -m bench.first_seen [--sizes 1000,100000,1000000] [--rounds N]

In process, on both stores, all sizes in one run: within a round each is asked for keys from all
over its table, in no order, and the claim is the median over rounds of a size's cost by that of the
smallest. Beside it the bare driver's read: the same statement, by the same driver, without anything
of ours.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import psycopg
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from bench.database import counting_server
from bench.loads import ROOT
from bench.world import NEXT_KEY, fill, make_engine, make_keys
from keyhalt.core.decisions import Allowed, Presented
from keyhalt.embed import Engine
from keyhalt.storage.postgres import Database
from keyhalt.storage.questions import Questions
from keyhalt.storage.sqlite import open_file

BATCH = 60
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


async def microseconds(ask: Callable[[int], Awaitable[object]], ids: Sequence[int]) -> float:
    began = time.perf_counter_ns()
    for each in ids:
        assert await ask(each)
    return (time.perf_counter_ns() - began) / len(ids) / 1000


def scattered(engine: Engine, size: int, groups: int) -> dict[int, bytes]:
    """So many keys; of BATCH in each of `groups` places among them the texts, by id."""
    texts: dict[int, bytes] = {}
    for number in range(1, groups + 1):
        before = max(0, size * number // groups - number * BATCH)
        there = last_id(engine)
        fill(engine, max(0, before + (number - 1) * BATCH - there))
        first = last_id(engine) + 1
        texts |= dict(enumerate(make_keys(engine, BATCH), first))
    if engine.stores.rights.dialect.name == "postgresql":
        # As its own upkeep does before long.
        with engine.stores.rights.connect() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    return texts


def last_id(engine: Engine) -> int:
    with engine.stores.rights.connect() as connection:
        return int(connection.execute(NEXT_KEY).scalar_one()) - 1


class Table:
    """A store of one size: what a key costs there that was not seen, and what its row costs."""

    def __init__(self, engine: Engine, url: str, size: int, rounds: int) -> None:
        self.engine = engine
        self._url = url
        self._texts = scattered(engine, size, rounds + 1)
        self._ids = list(self._texts)
        random.Random(size).shuffle(self._ids)
        self._read: Read | None = None

    async def round(self, turn: int) -> tuple[float, float]:
        if self._read is None:
            self._read = await postgres_read(self._url) if self._url else sqlite_read(self.engine)
        ids = self._ids[turn * BATCH : (turn + 1) * BATCH]
        return await microseconds(self._verify, ids), await microseconds(self._read, ids)

    async def _verify(self, key_id: int) -> bool:
        presented = Presented(keys=(self._texts[key_id],), over_https=True)
        return isinstance(await self.engine.verify.verify(presented), Allowed)


async def measure(tables: dict[int, Table], rounds: int) -> dict[int, dict[str, float]]:
    """Microseconds, and what a size costs by what the smallest does: medians over rounds."""
    seen: dict[int, list[tuple[float, float]]] = {size: [] for size in tables}
    for turn in range(rounds + 1):
        for size, table in tables.items():
            seen[size].append(await table.round(turn))
    # The first round opens connections.
    kept = {size: each[1:] for size, each in seen.items()}
    smallest = kept[min(kept)]
    return {
        size: {
            "first_seen": statistics.median(ours for ours, _ in each),
            "bare": statistics.median(bare for _, bare in each),
            "of_smallest": statistics.median(
                one[0] / other[0] for one, other in zip(each, smallest, strict=True)
            ),
            "bare_of_smallest": statistics.median(
                one[1] / other[1] for one, other in zip(each, smallest, strict=True)
            ),
        }
        for size, each in kept.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1000,100000,1000000")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    sizes = sorted(map(int, options.sizes.split(",")))
    if sizes[0] < BATCH * (options.rounds + 1):
        parser.error(f"at least {BATCH * (options.rounds + 1)} keys, or fewer rounds")
    result: dict[str, dict[str, float]] = {}
    with counting_server() as server:
        for kind in ("SQLite", "PostgreSQL"):
            if kind == "PostgreSQL" and isinstance(server, str):
                print(server)
                continue
            with ExitStack() as stack:
                tables = {}
                for size in sizes:
                    url = "" if kind == "SQLite" or isinstance(server, str) else server.create()
                    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                    database = Database(url) if url else None
                    engine = make_engine(folder / "data", 1_000_000, database=database)
                    stack.callback(engine.close)
                    tables[size] = Table(engine, url, size, options.rounds)
                found = asyncio.run(measure(tables, options.rounds))
            for size, row in found.items():
                result[f"{kind}, {size:,} keys"] = row
                print(
                    f"{kind:10} {size:10,} keys {row['first_seen']:7.1f} us, "
                    f"{row['of_smallest']:.2f} of the smallest (at most {RATIO_MAX});"
                    f"   the driver's read {row['bare']:7.1f} us, {row['bare_of_smallest']:.2f}",
                    flush=True,
                )
    file = ROOT / "bench" / "results" / "first-seen.json"
    file.write_text(json.dumps(result, indent=1) + "\n")
    return int(any(row["of_smallest"] > RATIO_MAX for row in result.values()))


if __name__ == "__main__":
    sys.exit(main())
