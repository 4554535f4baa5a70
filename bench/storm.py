"""What a storm of sign-ins does to those with a key: asked alone, and beside it, in turns.

Run it from the checkout: `python -m bench.storm`; then `python -m bench.report`. The whole server
in this process, on SQLite: one program asks with one remembered key, again and again, and beside it
come 400 sign-ins a second, each from a source of its own and with a wrong password, far more than
can be checked. Passwords are hashed as in production, one at once. The storm is made by the same
event loop, so what is shown has its cost too. Figures are ratios within a round.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

from bench.asking import ask
from bench.counting import Plain
from bench.report import RESULTS
from bench.world import make_engine, make_keys
from keyhalt import AppContext
from keyhalt.client.middleware import ASGIApp
from keyhalt.config import load_settings
from keyhalt.running import application

ROUNDS = 9
SECONDS = 1.5
A_SECOND = 400
JSON = ((b"content-type", b"application/json"),)
WAYS = ("alone", "beside the storm")


async def verify(app: ASGIApp, key: bytes, until: float) -> list[float]:
    """How long each request took, in seconds."""
    times = []
    while perf_counter() < until:
        start = perf_counter()
        answer = await ask(app, "GET", "/api/v3/plain", [(b"eci-apikey", key)])
        times.append(perf_counter() - start)
        assert answer.status == 200, answer
        await asyncio.sleep(0)
    return times


async def storm(app: ASGIApp, until: float, numbers: Iterator[int]) -> Counter[int]:
    """Sign-ins at a fixed rate, whatever becomes of those before; how they were answered."""
    begun, tasks = perf_counter(), []
    for count in itertools.count(1):
        if (now := perf_counter()) >= until:
            break
        number = next(numbers)
        source = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        said = {"dataSource": "acme", "username": f"user{number}", "password": "wrong"}
        body = json.dumps(said).encode()
        signing_in = ask(app, "POST", "/api/v3/login", JSON, body, source)
        tasks.append(asyncio.create_task(signing_in))
        await asyncio.sleep(max(0.0, begun + count / A_SECOND - now))
    return Counter(answer.status for answer in await asyncio.gather(*tasks))


async def one_round(app: ASGIApp, key: bytes, way: str, numbers: Iterator[int]) -> dict[str, Any]:
    until = perf_counter() + SECONDS
    answers: Counter[int] = Counter()
    if way == WAYS[0]:
        times = await verify(app, key, until)
    else:
        times, answers = await asyncio.gather(verify(app, key, until), storm(app, until, numbers))
    return {
        "a_second": len(times) / SECONDS,
        "p50_us": median(times) * 1e6,
        "p99_us": quantiles(times, n=100)[98] * 1e6,
        "answers": dict(answers),
    }


async def rounds(app: ASGIApp, key: bytes) -> dict[str, list[dict[str, Any]]]:
    numbers = itertools.count()
    await one_round(app, key, WAYS[1], numbers)
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for turn in range(ROUNDS):
        for way in WAYS if turn % 2 else WAYS[::-1]:
            found[way].append(await one_round(app, key, way, numbers))
    return found


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(Path(folder) / "data", memory_entries=1_000)
        (key,) = make_keys(engine, 1)
        plain = Plain(AppContext(engine.profile, Path(folder)))
        settings = load_settings(data=Path(folder) / "data", insecure_http=True)
        found = asyncio.run(rounds(application(settings, engine, [plain]), key))
        engine.close()
    alone, beside = (found[way] for way in WAYS)
    answers: Counter[int] = sum((Counter(each["answers"]) for each in beside), Counter())
    told = {
        way: {name: median(each[name] for each in found[way]) for name in alone[0] if "_" in name}
        for way in WAYS
    }
    told["ratio"] = {
        name: median(b[name] / a[name] for a, b in zip(alone, beside, strict=True))
        for name in told[WAYS[0]]
    }
    print(json.dumps(told, indent=1))
    print(f"sign-ins were answered {dict(answers)}")
    report = {"rows": told, "answers": {str(k): v for k, v in sorted(answers.items())}}
    (RESULTS / "storm.json").write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
