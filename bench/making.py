"""What making, ending and listing keys takes: `python -m bench.making [--count N]`.

One at a time, over HTTP, each contender by its own means, in turn; what a commit costs on this
machine's disk is in all of them that commit. Then the list of all keys, in process, as
`GET /api/v3/apiKey` answers it, with few and with many.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench.asking import add_boss, ask, key_of
from bench.database import counting_server
from bench.figures import in_turn
from bench.loads import ROOT
from bench.peers.__main__ import Running, start
from bench.peers.contenders import ALL, BARE, FORWARD, TELLING
from bench.peers.keys import Key, delete, make
from bench.world import make_engine, make_keys
from keyhalt.client.middleware import ASGIApp
from keyhalt.config import load_settings
from keyhalt.running import application

LEFT_OUT = {BARE, TELLING, *FORWARD.values()}
"""The bare app knows no keys; the others make them as their likes do."""
LISTED = (10, 1_000, 10_000)
BATCH = 10
ADMINISTRATOR = "Administrator: Full Access"
LISTS = 5
Row = dict[str, float]


def milliseconds(call: Callable[..., object], *arguments: object) -> float:
    began = time.perf_counter()
    call(*arguments)
    return (time.perf_counter() - began) * 1000


def batch(running: Running, made: list[float], ended: list[float]) -> None:
    """Milliseconds each."""
    keys: list[Key] = []
    made += [milliseconds(lambda: keys.append(make(running.port))) for _ in range(BATCH)]
    if "no delete" not in running.contender.bound:
        ended += [milliseconds(delete, running.port, key) for key in keys]


def contenders(count: int) -> dict[str, Row]:
    found: dict[str, tuple[list[float], list[float]]] = {}
    with ExitStack() as stack:
        server = stack.enter_context(counting_server())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tried = [start(stack, each, server, folder) for each in ALL if each.name not in LEFT_OUT]
        running = {each.contender.name: each for each in tried if each is not None}
        for turn in range(count // BATCH):
            for name in in_turn(list(running), turn):
                batch(running[name], *found.setdefault(name, ([], [])))
    return {
        name: {**cuts("made", made), **cuts("ended", ended)}
        for name, (made, ended) in found.items()
    }


def cuts(what: str, times: list[float]) -> Row:
    if not times:
        return {}
    ordered = statistics.quantiles(times, n=100)
    return {f"{what}_p50_ms": ordered[49], f"{what}_p99_ms": ordered[98]}


def listed(count: int) -> float:
    """Milliseconds, the median of some."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine = make_engine(folder, memory_entries=1_000)
        try:
            make_keys(engine, count - 1)
            key = key_of(engine, add_boss(engine, {}))
            app = application(
                load_settings(data=str(folder), apps="", access_log=False), engine, []
            )
            took = [asyncio.run(milliseconds_of_a_list(app, key, count)) for _ in range(LISTS)]
        finally:
            engine.close()
    return statistics.median(took)


async def milliseconds_of_a_list(app: ASGIApp, key: bytes, count: int) -> float:
    began = time.perf_counter()
    answer = await ask(app, "GET", "/api/v3/apiKey", [(b"eci-apikey", key)])
    took = (time.perf_counter() - began) * 1000
    assert len(json.loads(answer.body)) == count, answer.status
    return took


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.making", description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    said = parser.parse_args()
    rows = contenders(said.count)
    for name, row in rows.items():
        told = "  ".join(f"{word} {value:,.1f}" for word, value in row.items())
        print(f"{name:34} {told}", flush=True)
    lists = {str(count): listed(count) for count in LISTED}
    for count, took in lists.items():
        print(
            f"a list of {int(count):,} keys {took:.1f} ms, {took / int(count) * 1000:.0f} us each"
        )
    result = {"contenders": rows, "list_ms": lists}
    (ROOT / "bench" / "results" / "making.json").write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
