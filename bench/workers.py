"""What a second worker gains on two cores, for Keyhalt and for the bare app in the same run.

    python -m bench.workers [--rounds N] [--seconds N]

One worker on core 0; then two, one on each core, each with its own load. The loads are on the same
two cores, in both cases and for everybody: so only the ratio of the gains says something.
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
from bench.loads import ROOT, drive
from bench.peers.contenders import ALL, BARE, MIDDLEWARE, Contender, started
from bench.peers.keys import GOOD, make

COUNT = 16
CORES = ("0", "1")


def sum_of(ports: list[int], headers: list[dict[str, str]], seconds: int) -> float:
    """Requests a second of all of them."""
    with ThreadPoolExecutor(len(ports)) as pool:
        loads = [pool.submit(drive, port, "/", headers, seconds, core="0,1") for port in ports]
        return sum(each.result().rate for each in loads)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    wanted = {BARE, *MIDDLEWARE.values()}
    chosen: list[Contender] = [each for each in ALL if each.name in wanted]
    gains: dict[str, list[float]] = {}
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
                stack.enter_context(started(each, url, folder / str(number), core))[0]
                for core in CORES
            ]
            keys = [make(ports[0]) for _ in range(COUNT)]
            running.append((each.name, ports, [{key.header: key.texts[GOOD]} for key in keys]))
        for _ in range(options.rounds):
            for name, ports, headers in running:
                one = sum_of(ports[:1], headers, options.seconds)
                both = sum_of(ports, headers, options.seconds)
                gains.setdefault(name, []).append(both / one)
    result = {name: figure(each).median for name, each in gains.items()}
    for name, gain in result.items():
        print(f"{name:34} gains {gain:.2f}, {gain / result[BARE]:.2f} of the bare app's")
    (ROOT / "bench" / "results" / "workers.json").write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
