"""What a verification costs in process, beside what it is made of. `make bench`.

On SQLite, with 100,000 keys remembered. The rows are measured in one run, interleaved; the claims
are ratios within it. Absolute times are those of the machine it ran on.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import json
import platform
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.figures import in_turn
from bench.world import make_engine, make_keys
from keyhalt.client.credentials import only_key
from keyhalt.core.decisions import Allowed, Presented, permit
from keyhalt.embed import Engine
from keyhalt.storage.sqlite import open_file

ROUNDS = 15
CALLS = 4_000
RATIO_MAX = 2.0
OVER_HTTPS = True

Row = Callable[[list[bytes]], None]


def rows_of(engine: Engine, texts: list[bytes]) -> dict[str, Row]:
    """Each row works through a list of key texts, once each."""
    plain = {hashlib.sha256(text).digest(): object() for text in texts}
    guard = open_file(engine.stores.rights_path)
    reader = open_file(engine.stores.rights_path)
    need = engine.profile.catalogue.need("meters", "view")
    verify = engine.verify
    headers = {text: [(b"host", b"bench"), (b"eci-apikey", text)] for text in texts}

    def sketch(batch: list[bytes]) -> None:
        for text in batch:
            plain.get(hashlib.sha256(text).digest())

    def pragma(batch: list[bytes]) -> None:
        for _ in batch:
            guard.execute("PRAGMA data_version").fetchone()

    def remembered(batch: list[bytes]) -> None:
        for text in batch:
            principal = verify.remembered(text, OVER_HTTPS)
            assert permit(principal, need) is None

    def with_headers(batch: list[bytes]) -> None:
        for text in batch:
            principal = verify.remembered(only_key(headers[text]), OVER_HTTPS)
            assert permit(principal, need) is None

    def read(batch: list[bytes]) -> None:
        for text in batch:
            digest = hashlib.sha256(text).digest()
            reader.execute("SELECT id FROM api_key WHERE digest = ?", (digest,)).fetchone()

    return {
        "bare: SHA-256 and dictionary": sketch,
        "bare: PRAGMA data_version": pragma,
        "remembered key, verified and authorized": remembered,
        "the same, and finding it in the headers": with_headers,
        "bare: one SQLite read by digest": read,
    }


def measure(rows: dict[str, Row], texts: list[bytes]) -> dict[str, list[float]]:
    """Microseconds a call, a list per row, one entry per round."""
    found: dict[str, list[float]] = {name: [] for name in rows}
    for turn in range(ROUNDS):
        batch = random.Random(turn).sample(texts, min(CALLS, len(texts)))
        for name in in_turn(list(rows), turn):
            start = time.perf_counter_ns()
            rows[name](batch)
            found[name].append((time.perf_counter_ns() - start) / len(batch) / 1000)
    return found


def first_seen(engine: Engine, texts: list[bytes]) -> tuple[list[float], int]:
    """Microseconds for each key never seen before, and the statements that reading them took."""
    statements: list[str] = []
    times = []

    async def ask() -> None:
        for text in texts:
            presented = Presented(keys=(text,), over_https=True)
            start = time.perf_counter_ns()
            assert isinstance(await engine.verify.verify(presented), Allowed)
            times.append((time.perf_counter_ns() - start) / 1000)

    engine.verifying.reader._rights.set_trace_callback(statements.append)  # noqa: SLF001
    asyncio.run(ask())
    engine.verifying.reader._rights.set_trace_callback(None)  # noqa: SLF001
    return times, len(statements)


def report(found: dict[str, list[float]], texts: int, seen: list[float], statements: int) -> dict:
    medians = {name: statistics.median(values) for name, values in found.items()}
    names = list(medians)
    bare = medians[names[0]] + medians[names[1]]
    print(
        f"{texts:,} keys remembered; SQLite {sqlite3.sqlite_version};"
        f" Python {platform.python_version()}; {ROUNDS} rounds of {CALLS:,} calls\n"
    )
    for name, values in found.items():
        spread = (max(values) - min(values)) / medians[name]
        print(f"{name:42} {medians[name]:7.2f} us   spread {spread:4.0%}")
    print(
        f"{'first-seen key':42} {statistics.median(seen):7.2f} us   "
        f"{statements / len(seen):.2f} statements each"
    )
    ratio = medians[names[2]] / bare
    print(
        f"\nremembered / (SHA-256 and dictionary + data_version) = {ratio:.2f}"
        f"  (at most {RATIO_MAX})"
    )
    return {
        "microseconds": medians,
        "first_seen": statistics.median(seen),
        "statements_per_first_seen": statements / len(seen),
        "ratio": ratio,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(Path(folder), memory_entries=options.keys * 2)
        texts = make_keys(engine, options.keys)
        seen, statements = first_seen(engine, texts)
        gc.collect()
        gc.freeze()
        result = report(measure(rows_of(engine, texts), texts), len(texts), seen, statements)
        engine.close()
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if result["ratio"] <= RATIO_MAX and statements == len(seen) else 1


if __name__ == "__main__":
    sys.exit(main())
