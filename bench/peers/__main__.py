"""What verifying a key costs over HTTP, beside the systems people would use instead.

    python -m bench.peers [--rows good,malformed,forged,deleted,mixed] [--rounds N] [--seconds N]
                          [--only WORD] [--out FOLDER]

Each contender is a real server with one worker on core 0, asked by wrk from core 1, where its
PostgreSQL is, too. Rounds are interleaved; what counts are ratios within one run. A contender that
cannot be had here is left out, and why is said. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import urllib.request
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.database import Counting, counting_server
from bench.figures import Figure, figure, in_turn, ratio, table
from bench.loads import ROOT, Load, drive, processor_seconds
from bench.peers import plots
from bench.peers.contenders import (
    ALL,
    BARE,
    FORWARD,
    MIDDLEWARE,
    TELLING,
    Contender,
    MissingError,
    started,
)
from bench.peers.keys import COUNT, DELETED, GOOD, KINDS, MIXED, Ring

WARM_SECONDS = 1
SERVERS_OWN = {"date", "connection", "server"}
COMPARED = (
    *((MIDDLEWARE[kind], BARE) for kind in MIDDLEWARE),
    *((FORWARD[kind], TELLING) for kind in FORWARD),
)


class Running:
    """One contender that serves."""

    def __init__(self, contender: Contender, port: int, pid: int, database: str) -> None:
        self.contender, self.port, self.pid, self.database = contender, port, pid, database
        self.ring = Ring(port, contender.path, contender.headers)
        self.loads: list[Load] = []
        self.costs: list[float] = []
        """Microseconds of the server's core for each request."""

    def begin(self, kind: str) -> bool:
        """Ready for a row. What answers wrongly is left out, and that is said."""
        self.loads, self.costs = [], []
        try:
            if self.contender.folder != "bare":
                self.ring.check(kind)
            self._drive(kind, WARM_SECONDS)
        except OSError as error:
            print(f"left out: {self.contender.name}: {error}")
            return False
        return True

    def _drive(self, kind: str, seconds: int) -> Load:
        told = self.contender
        return drive(self.port, told.path, self.ring.sent(kind), seconds * told.seconds)

    def measure(self, kind: str, seconds: int) -> None:
        before = processor_seconds(self.pid)
        load = self._drive(kind, seconds)
        if not load.requests:
            raise OSError(f"{self.contender.name} answered nothing in time")
        self.costs.append((processor_seconds(self.pid) - before) / load.requests * 1e6)
        share = {GOOD: 0.0, MIXED: 3 / COUNT}.get(kind, 1.0)
        # Of a mixture, the last turn is cut off anywhere.
        wrong = abs(load.refused - load.requests * share)
        if wrong > (COUNT if kind == MIXED else 0) and self.contender.folder != "bare":
            raise OSError(f"{self.contender.name}: {wrong:,.0f} wrong answers to {kind} keys")
        self.loads.append(load)


def start(
    stack: ExitStack, contender: Contender, server: Counting | str, folder: Path
) -> Running | None:
    """None, and a printed reason, when it cannot be had."""
    try:
        if contender.database and isinstance(server, str):
            raise MissingError(server)  # noqa: TRY301
        database = server.create() if contender.database and not isinstance(server, str) else ""
        home = folder / contender.name.replace(" ", "-").replace(",", "")
        port, pid = stack.enter_context(started(contender, database, home))
        return Running(contender, port, pid, database)
    except (MissingError, OSError) as error:
        print(f"left out: {contender.name}: {error}")
        return None


def tell(folder: Path) -> None:
    """Write down what forward-auth answers, for the bare app that sends the same."""
    asked = next(each for each in ALL if each.name == FORWARD["SQLite"])
    with started(asked, "", folder / "telling") as (port, _):
        ring = Ring(port, asked.path, asked.headers)
        (headers, *_) = ring.sent(GOOD)
        url = f"http://127.0.0.1:{port}{asked.path}"
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            told = [(n.lower(), v) for n, v in answer.getheaders() if n.lower() not in SERVERS_OWN]
    (folder / "told.json").write_text(json.dumps(told))


def row(
    kind: str, running: list[Running], server: Counting | str, options: argparse.Namespace
) -> dict[str, Any]:
    """Measure one row with all that run; what is written down of it."""
    by_name = {each.contender.name: each for each in running if each.begin(kind)}
    counted: dict[str, float] = {}
    for turn in range(options.rounds):
        for name in in_turn(list(by_name), turn):
            each = by_name[name]
            count = server.statements if isinstance(server, Counting) else lambda _: None
            before = count(each.database)
            try:
                each.measure(kind, options.seconds)
            except OSError as error:
                print(f"left out: {error}")
                del by_name[name]
                continue
            after = count(each.database)
            if before is not None and after is not None:
                counted[name] = (after - before) / each.loads[-1].requests
    return {
        "row": kind,
        "contenders": {
            name: {
                "bound": each.contender.bound,
                "requests_a_second": asdict(figure([load.rate for load in each.loads])),
                "core_microseconds": asdict(figure(each.costs)),
                "p50_microseconds": figure([load.p50 for load in each.loads]).median,
                "p99_microseconds": figure([load.p99 for load in each.loads]).median,
                "statements_a_request": counted.get(name),
            }
            for name, each in by_name.items()
        },
    }


def report(result: dict[str, Any]) -> None:
    found, beside = {}, {}
    for name, told in result["contenders"].items():
        found[name] = Figure(**told["requests_a_second"])
        counted = told["statements_a_request"]
        core = told["core_microseconds"]["median"]
        words = [f"{core:7.1f} us of its core"]
        words += [] if counted is None else [f"{counted:.3f} statements each"]
        beside[name] = ", ".join(words)
    print(f"\n{result['row']} keys")
    print("\n".join(table(found, "requests/s", beside)))
    for one, other in COMPARED:
        share = ratio(found, one, other)
        if share is not None:
            print(f"{one} / {other} = {share:.0%}")
    result["ratios"] = {
        f"{one} / {other}": ratio(found, one, other)
        for one in (*MIDDLEWARE.values(), *FORWARD.values())
        for other in found
        if one in found and other != one
    }


def machine() -> dict[str, object]:
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default=",".join(KINDS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--only", default="", help="contenders whose names have one of these words")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results")
    options = parser.parse_args()
    wanted = [word for word in options.only.split(",") if word]
    kinds = [kind for kind in KINDS if kind in options.rows.split(",")]
    about = machine()
    with ExitStack() as stack:
        server = stack.enter_context(counting_server())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tell(folder)
        chosen = [each for each in ALL if not wanted or any(word in each.name for word in wanted)]
        tried = [start(stack, each, server, folder) for each in chosen]
        running = [each for each in tried if each is not None]
        for kind in kinds:
            if kind in {DELETED, MIXED}:
                for each in running:
                    each.ring.delete()
                running = [each for each in running if "no delete" not in each.contender.bound]
            result = {**about, **row(kind, running, server, options)}
            report(result)
            file = options.out / f"peers-{kind}.json"
            file.write_text(json.dumps(result, indent=1) + "\n")
            plots.draw(result, file.with_suffix(".svg"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
