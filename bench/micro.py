"""Ways of a request in process, measured by pyperf: several processes, calibrated, with spread.

    python -m bench.micro [-o FILE] [--fast] [pyperf's own options]

The same rows as bench/ways.py, which is quicker and says less. Nothing else should run meanwhile.
"""

from __future__ import annotations

import asyncio
import time

import pyperf

from bench.ways import Way, ways

ROWS = (
    "bare",
    "middleware, barrier, good",
    "middleware, guarded, good",
    "forward-auth, barrier, good",
    "middleware, barrier, malformed",
    "middleware, barrier, deleted",
)


def seconds(loops: int, way: Way) -> float:
    async def run() -> float:
        start = time.perf_counter()
        await way.run(loops)
        return time.perf_counter() - start

    return asyncio.run(run())


def main() -> None:
    runner = pyperf.Runner(processes=5, program_args=("-m", "bench.micro"))
    runner.metadata["description"] = "a request in process"
    with ways() as found:
        for name in ROWS:
            asyncio.run(found[name].check())
            runner.bench_time_func(name, seconds, found[name])


if __name__ == "__main__":
    main()
