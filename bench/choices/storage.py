"""Measure the choice of database driver and of hashes, in one process, every row in the same run.

The database is a SQLite file in WAL mode with 100,000 keys, 10,000 owners and 20 roles. A read
takes one key by its integer id, joined with its owner and its role; the ids are spread over the
whole table and every connection has 64 MiB of page cache. The hashes are of a made-up text of 98
characters, as long as a key. Every row is a loop timed with ``time.perf_counter_ns``. A round
visits each row once, in a rotated order, for about 0.3 s; a visit during which other processes
were busy is repeated (40 minutes at most). The table gives the median round and its ratio to
SHA-256 (hashes) or to the read through sqlite3 (all else) within the same round. Without
``--python`` it installs its pins in a temporary environment. ``--dir`` says where the database
goes: a durable commit costs what that disk makes of it.

    python bench/choices/storage.py --json bench/results/choices-storage.json
"""
# ruff: noqa: PLC0415 - the modules under measurement are absent where the environment is made

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median
from typing import Any

PINS = {"aiosqlite": "0.22.1", "argon2-cffi": "25.1.0", "sqlalchemy": "2.1.9", "uvloop": "0.23.0"}
KEYS, OWNERS, ROLES, ROUND_SECONDS = 100_000, 10_000, 20, 0.3
IDS = [(step * 7919) % KEYS + 1 for step in range(KEYS)]  # every id once, far from its neighbour
OTHERS_MAX = 0.1  # of a core
TEXT = "bench_" + "k" * 92
SECRET = b"made-up server secret of 32 byte"
SCHEMA = """
CREATE TABLE role (id INTEGER PRIMARY KEY, name TEXT, permissions TEXT);
CREATE TABLE owner (id INTEGER PRIMARY KEY, name TEXT, enabled INTEGER, role_id INTEGER
    REFERENCES role);
CREATE TABLE key (id INTEGER PRIMARY KEY, digest BLOB, expires INTEGER, revoked INTEGER,
    owner_id INTEGER REFERENCES owner);"""
READ = """
SELECT key.id, digest, expires, revoked, owner.id, owner.name, enabled, role.name, permissions
FROM key JOIN owner ON owner.id = owner_id JOIN role ON role.id = role_id WHERE key.id = ?"""
WATCH = "PRAGMA data_version"
WRITE = "UPDATE key SET revoked = revoked + 1 WHERE id = ?"
Loop = Callable[[int], int]  # repeats an act so many times, returns the nanoseconds it took


def connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for setting in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536"):
        connection.execute(f"PRAGMA {setting}")
    return connection


def fill(path: Path) -> None:
    with closing(connect(path)) as connection:
        connection.executescript(SCHEMA)
        connection.execute("BEGIN")
        roles = ((n, f"role {n}", f"meters.read sites.read role.{n}") for n in range(1, ROLES + 1))
        connection.executemany("INSERT INTO role VALUES (?, ?, ?)", roles)
        owners = ((n, f"owner {n}", 1, n % ROLES + 1) for n in range(1, OWNERS + 1))
        connection.executemany("INSERT INTO owner VALUES (?, ?, ?, ?)", owners)
        digests = ((n, hashlib.sha256(b"%d" % n).digest()) for n in range(1, KEYS + 1))
        keys = ((n, digest, 2_000_000_000, 0, n % OWNERS + 1) for n, digest in digests)
        connection.executemany("INSERT INTO key VALUES (?, ?, ?, ?, ?)", keys)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def repeated(act: Callable[[int], object]) -> Loop:
    """Loop over an act that takes the id of a key."""

    def loop(times: int) -> int:
        begin = time.perf_counter_ns()
        for step in range(times):
            act(IDS[step % KEYS])
        return time.perf_counter_ns() - begin

    return loop


def awaited(runner: asyncio.Runner, act: Callable[[int], Awaitable[object]]) -> Loop:
    """Loop over an act that is awaited, inside one event loop."""

    async def inside(times: int) -> int:
        begin = time.perf_counter_ns()
        for step in range(times):
            await act(IDS[step % KEYS])
        return time.perf_counter_ns() - begin

    return lambda times: runner.run(inside(times))


def alchemy_rows(path: Path) -> dict[str, Loop]:
    import sqlalchemy as sa

    engine = sa.create_engine("sqlite://", creator=lambda: connect(path), poolclass=sa.QueuePool)
    meta = sa.MetaData()
    meta.reflect(engine)
    key, owner, role = (meta.tables[name] for name in ("key", "owner", "role"))
    columns = (*list(key.c)[:4], *list(owner.c)[:3], *list(role.c)[1:])
    joined = sa.select(*columns).select_from(key.join(owner).join(role))
    statement = joined.where(key.c.id == sa.bindparam("key_id"))
    held = engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def pooled(key_id: int) -> sa.Row[Any]:
        with engine.connect() as connection:
            return connection.execute(statement, {"key_id": key_id}).one()

    def kept(key_id: int) -> sa.Row[Any]:
        return held.execute(statement, {"key_id": key_id}).one()

    return {
        "read, SQLAlchemy Core, connection held": repeated(kept),
        "read, SQLAlchemy Core, connection from the pool": repeated(pooled),
    }


def async_rows(path: Path, runner: asyncio.Runner, stack: ExitStack) -> dict[str, Loop]:
    import aiosqlite

    async def opened() -> aiosqlite.Connection:
        connection = await aiosqlite.connect(path, isolation_level=None)
        await connection.execute("PRAGMA cache_size=-65536")
        return connection

    database, direct = runner.run(opened()), connect(path)
    stack.callback(lambda: runner.run(database.close()))
    thread = stack.enter_context(ThreadPoolExecutor(1))

    async def fetched(key_id: int) -> object:
        async with database.execute(READ, (key_id,)) as cursor:
            return await cursor.fetchone()

    async def fetched_in_one_go(key_id: int) -> object:
        return await database.execute_fetchall(READ, (key_id,))

    def plain(key_id: int) -> object:
        return direct.execute(READ, (key_id,)).fetchone()

    async def handed_over(key_id: int) -> object:
        return await asyncio.get_running_loop().run_in_executor(thread, plain, key_id)

    return {
        "read, aiosqlite, execute and fetchone": awaited(runner, fetched),
        "read, aiosqlite, execute_fetchall": awaited(runner, fetched_in_one_go),
        "read, sqlite3 in a worker thread": awaited(runner, handed_over),
    }


def hash_rows(stack: ExitStack) -> dict[str, Loop]:
    import argon2

    text, keyed = TEXT.encode(), hmac.new(SECRET, digestmod="sha256")

    def from_copy(_: int) -> bytes:
        state = keyed.copy()
        state.update(text)
        return state.digest()

    chosen = argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
    default = argon2.PasswordHasher()
    threads = stack.enter_context(ThreadPoolExecutor(8))

    def at_once(count: int) -> Loop:
        return repeated(lambda _: list(threads.map(chosen.hash, [TEXT] * count)))

    name = "Argon2id, m=19456 KiB, t=2, p=1"
    shape = f"m={default.memory_cost} KiB, t={default.time_cost}, p={default.parallelism}"
    return {
        "SHA-256": repeated(lambda _: hashlib.sha256(text).digest()),
        "HMAC-SHA256, hmac.digest": repeated(lambda _: hmac.digest(SECRET, text, "sha256")),
        "HMAC-SHA256, hmac.new": repeated(lambda _: hmac.new(SECRET, text, "sha256").digest()),
        "HMAC-SHA256, copy of a keyed state": repeated(from_copy),
        name: repeated(lambda _: chosen.hash(TEXT)),
        f"{name}, 2 at once, until both are done": at_once(2),
        f"{name}, 8 at once, until all are done": at_once(8),
        f"Argon2id, library default ({shape})": repeated(lambda _: default.hash(TEXT)),
    }


def others_seconds() -> float:
    """Return the processor time of everything on this machine but this process."""
    user, nice, system = map(int, Path("/proc/stat").read_text().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK") - time.process_time()


def visit(loop: Loop, times: int) -> tuple[float, float]:
    """Return the microseconds of one act, and how much of a core others used meanwhile."""
    for _ in range(30):
        before, begin = others_seconds(), time.perf_counter()
        cost = loop(times) / times / 1000
        others = (others_seconds() - before) / (time.perf_counter() - begin)
        if others < OTHERS_MAX:
            break
        time.sleep(2)
    return cost, others


def measure(place: Path, rounds: int) -> dict[str, dict[str, Any]]:
    import uvloop

    path = place / "choices.db"
    fill(path)
    reader, watcher, writer = connect(path), connect(path), connect(path)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, ExitStack() as stack:
        loops = {
            "nothing (the loop itself)": repeated(lambda _: None),
            "read, sqlite3": repeated(lambda key_id: reader.execute(READ, (key_id,)).fetchone()),
            **alchemy_rows(path),
            **async_rows(path, runner, stack),
            "PRAGMA data_version": repeated(lambda _: watcher.execute(WATCH).fetchone()),
            "one durable commit": repeated(lambda key_id: writer.execute(WRITE, (key_id,))),
            **hash_rows(stack),
        }
        times, seen, busy = {}, {name: list[float]() for name in loops}, dict.fromkeys(loops, 0.0)
        for name, loop in loops.items():
            loop(2)  # the first call prepares statements, connections and threads
            count = 1
            while (spent := loop(count)) < ROUND_SECONDS * 1e8:
                count *= 2
            times[name] = max(3, round(count * ROUND_SECONDS * 1e9 / spent))
        names = list(loops)
        for turn in range(rounds):
            for name in names[(first := turn * len(names) // rounds) :] + names[:first]:
                cost, others = visit(loops[name], times[name])
                seen[name].append(cost)
                busy[name] = max(busy[name], round(others, 2))
    rows: dict[str, dict[str, Any]] = {}
    print(f"{'microseconds, median of the rounds':66}    median  spread     ratio others")
    for name, costs in seen.items():
        middle, spread = median(costs), (max(costs) - min(costs)) / median(costs)
        bases = seen["SHA-256" if name.startswith(("SHA", "HMAC", "Argon")) else "read, sqlite3"]
        ratio = median(cost / base for cost, base in zip(costs, bases, strict=True))
        print(f"{name:66}{middle:10.2f}{spread:8.1%}{ratio:10.2f}{busy[name]:7.2f}")
        rows[name] = {"median_us": round(middle, 3), "spread": round(spread, 4)}
        rows[name] |= {"ratio": round(ratio, 2), "others": busy[name], "repeats": times[name]}
        rows[name]["rounds_us"] = costs
    return rows


def file_system(place: Path) -> str:
    """Return the type of the file system a directory is on: a commit to memory proves nothing."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return max((len(on), kind) for _, on, kind, *_ in mounts if place.is_relative_to(on))[1]


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare database drivers and hashes.")
    parser.add_argument("--python", help="an interpreter that already has the pinned versions")
    parser.add_argument("--json", type=Path, default=Path(os.devnull), help="results go here")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--dir", type=Path, help="where to put the database file")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.dir) as name:
        place = Path(name).resolve()
        if not given.inside:
            python = given.python or f"{place}/environment/bin/python"
            if not given.python:
                make = [sys.executable, "-m", "venv", f"{place}/environment"]
                subprocess.run(make, check=True, timeout=120)
                install = [python, "-m", "pip", "install", "-qq", *map("==".join, PINS.items())]
                subprocess.run(install, check=True, timeout=600)
            again = [python, __file__, "--inside", "--rounds", str(given.rounds)]
            again += ["--dir", str(place), "--json", str(given.json)]
            subprocess.run(again, check=True, timeout=2400)
            return
        rows, disk = measure(place, given.rounds), file_system(place)
    cpu = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    machine = [*cpu, os.uname().release, sys.version, f"SQLite {sqlite3.sqlite_version}", disk]
    results = {"rows": rows, "machine": machine, "pins": PINS}
    given.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
