"""What a second worker gains on two cores, for Keyhalt and for the bare app in the same run.

    python -m bench.workers [--rounds N] [--seconds N]

One worker on core 0; then two, one on each core, each with its own load, which is on the other
core: left to the system, a load runs now beside its worker and now across, and that decides more
than what is asked. Loads cost as much as workers do, so nobody gains two, and who does more for a
request gains more: only the ratio of the gains says something. Beside it, what a request costs a
worker in processor time with two of them, by what it does with one: whatever they share would show.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from bench.database import counting_server
from bench.figures import figure
from bench.loads import ROOT, drive, processor_seconds
from bench.peers.contenders import ALL, BARE, MIDDLEWARE, Contender, started
from bench.peers.keys import GOOD, make

COUNT = 16
CORES = ("0", "1")


def sum_of(
    running: list[tuple[int, int]], headers: list[dict[str, str]], seconds: int
) -> tuple[float, float]:
    """Requests a second of all of them, by port and process; processor seconds for each."""
    ports = [port for port, _ in running]
    before = sum(processor_seconds(pid) for _, pid in running)
    with ThreadPoolExecutor(len(ports)) as pool:
        loads = [
            pool.submit(drive, port, "/", headers, seconds, core=core)
            for port, core in zip(ports, reversed(CORES), strict=False)
        ]
        told = [each.result() for each in loads]
    used = sum(processor_seconds(pid) for _, pid in running) - before
    return sum(each.rate for each in told), used / sum(each.requests for each in told)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    wanted = {BARE, *MIDDLEWARE.values()}
    chosen: list[Contender] = [each for each in ALL if each.name in wanted]
    gains: dict[str, list[float]] = {}
    costs: dict[str, list[float]] = {}
    with ExitStack() as stack:
        server = stack.enter_context(counting_server())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running = []
        for number, each in enumerate(chosen):
            if each.database and isinstance(server, str):
                print(f"left out: {each.name}: {server}")
                continue
            url = server.create() if each.database and not isinstance(server, str) else ""
            ports = [
                stack.enter_context(started(each, url, folder / str(number), core))
                for core in CORES
            ]
            keys = [make(ports[0][0]) for _ in range(COUNT)]
            running.append((each.name, ports, [{key.header: key.texts[GOOD]} for key in keys]))
        for _ in range(options.rounds):
            for name, ports, headers in running:
                one = sum_of(ports[:1], headers, options.seconds)
                both = sum_of(ports, headers, options.seconds)
                gains.setdefault(name, []).append(both[0] / one[0])
                costs.setdefault(name, []).append(both[1] / one[1])
    result = {
        name: {"gain": figure(each).median, "cost": figure(costs[name]).median}
        for name, each in gains.items()
    }
    for name, row in result.items():
        ratio = row["gain"] / result[BARE]["gain"]
        print(
            f"{name:34} gains {row['gain']:.2f}, {ratio:.2f} of the bare app's;"
            f" a request costs {row['cost']:.2f} of what it does with one"
        )
    (ROOT / "bench" / "results" / "workers.json").write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
