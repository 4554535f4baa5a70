"""Measure the choice of web framework and of ASGI server, every row in the same run.

Each contender answers 200 and a small JSON text at ``/verify`` after reading one request header,
as a fresh process on core 0; ``wrk`` asks from core 1. A round visits each once, in rotated order;
if the server had to share its core, the visit is repeated (40 minutes at most). Groups: ``route``
(the framework's own), ``answers`` (SHA-256 of the header, a look-up, the answer: in a plain ASGI
layer or in middleware), ``passes`` (the same check, then a route), ``proxy`` (a proxy's headers
are trusted). Also: import time, distributions, and a stop with a request under way.
    python bench/choices/frameworks.py --json bench/results/choices-frameworks.json
"""
# ruff: noqa: PLC0415, ANN401 - a server imports only what it measures; each has its own app type

import argparse
import asyncio
import hashlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Annotated, Any

PINS = {"fastapi": "0.165.0", "granian": "2.8.7", "httptools": "0.9.0", "litestar": "2.25.0",
        "starlette": "1.10.0", "uvicorn": "0.54.0", "uvloop": "0.23.0"}  # fmt: skip
BOTH = "--factory --loop uvloop --no-access-log frameworks:chosen --port"
SERVERS = {"uvicorn": "uvicorn --http httptools --log-level warning --no-proxy-headers",
           "granian": "granian --http 1 --no-log --no-ws --interface asgi --workers 1"}  # fmt: skip
CALM = 0.97  # of its core: a visit in which the server had less was disturbed
FRAMEWORKS = ("starlette", "fastapi", "litestar")
SHAPES = ("layer+bare", "starlette.pure", "starlette.http", "fastapi.http", "litestar.pure")
Row = tuple[str, str, str]
ROWS: list[Row] = [
    *(("route", app, at) for app in ("bare", *FRAMEWORKS) for at in SERVERS),
    *(("answers", app, "uvicorn") for app in SHAPES), ("answers", "layer+bare", "granian"),
    *(("passes", app, "uvicorn") for app in ("layer+starlette", *SHAPES[2:])),
    ("proxy", "bare", "uvicorn")]  # fmt: skip
NAME, SAMPLE = b"eci-apikey", b"bench_" + b"k" * 92  # a made-up text as long as a key
KNOWN = {hashlib.sha256(SAMPLE).digest(): 1}
OK, BODY = {"valid": True}, b'{"valid":true}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"14")]


async def reply(send: Any, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


async def bare(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    if scope["path"] == "/slow":  # a lifespan has no path: the error tells the server it has none
        await asyncio.sleep(1.5)
    await reply(send, 200 if any(name == NAME for name, _ in scope["headers"]) else 401)


class Layer:
    """The check as plain ASGI: no object is made per request."""

    def __init__(self, app: Any, *, answers: bool) -> None:
        self.app, self.answers = app, answers

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            text = next((value for name, value in scope["headers"] if name == NAME), b"")
            if hashlib.sha256(text).digest() not in KNOWN:
                return await reply(send, 401)
            if self.answers and scope["path"] == "/verify":
                return await reply(send, 200)
        return await self.app(scope, receive, send)  # type: ignore[no-any-return]


def starlette() -> Any:
    from starlette import applications, requests, responses, routing

    async def verify(request: requests.Request) -> responses.Response:
        return responses.JSONResponse(OK, 200 if "eci-apikey" in request.headers else 401)

    return applications.Starlette(routes=[routing.Route("/verify", verify)])


def fastapi() -> Any:
    from fastapi import FastAPI, Header, routing

    async def verify(key: Annotated[str, Header(alias="ECI-ApiKey")]) -> dict[str, bool]:
        return {"valid": bool(key)}

    return FastAPI(routes=[routing.APIRoute("/verify", verify)])


def litestar(shape: str, *, answers: bool) -> Any:
    from litestar import Litestar, get, middleware
    from litestar.params import HeaderParameter as Named

    @get("/verify")
    async def verify(key: Annotated[str, Named(name="ECI-ApiKey")]) -> dict[str, bool]:
        return {"valid": bool(key)}

    layer: Any = middleware.DefineMiddleware(Layer, answers=answers)  # type: ignore[arg-type]
    return Litestar([verify], middleware=[layer] if shape else [], openapi_config=None)


def add_http_middleware(app: Any, *, answers: bool) -> None:
    from starlette import requests, responses
    from starlette.middleware import base

    async def check(asked: requests.Request, go: Any) -> Any:
        if hashlib.sha256(asked.headers.get("eci-apikey", "").encode()).digest() not in KNOWN:
            return responses.JSONResponse(OK, 401)
        return responses.JSONResponse(OK) if answers else await go(asked)

    app.add_middleware(base.BaseHTTPMiddleware, dispatch=check)


def chosen() -> Any:
    """Make the application named in the environment: what a server process is told to load."""
    group, choice, _ = os.environ["CHOICE"].split()
    (name, _, shape), answers = choice.removeprefix("layer+").partition("."), group == "answers"
    if name == "litestar":
        return litestar(shape, answers=answers)
    app = {"bare": lambda: bare, "starlette": starlette, "fastapi": fastapi}[name]()
    if shape == "http":
        add_http_middleware(app, answers=answers)
    elif shape == "pure":
        app.add_middleware(Layer, answers=answers)
    return Layer(app, answers=answers) if choice.startswith("layer+") else app


def ask(port: int, path: str = "/verify", *, key: bool = True) -> int:
    """Return the status of one request over a fresh connection, 0 if there was no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with suppress(OSError):
        connection.request("GET", path, headers={"ECI-ApiKey": SAMPLE.decode()} if key else {})
        return connection.getresponse().status
    return 0


@contextmanager
def serving(python: str, row: Row) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run one server process on core 0 until the block ends; it is stopped by its own pid."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    command = f"taskset -c 0 {python} -m {SERVERS[row[2]]} {BOTH} {port}"
    command = command.replace("--no-proxy", "--proxy" if row[0] == "proxy" else "--no-proxy")
    env, here = os.environ | {"CHOICE": " ".join(row)}, Path(__file__).parent
    process = subprocess.Popen(command.split(), cwd=here, env=env, start_new_session=True)
    try:
        until = time.monotonic() + 15
        while (status := ask(port)) == 0 and time.monotonic() < until:
            time.sleep(0.05)
        assert (status, ask(port, key=False) // 100) == (200, 4), row
        yield process, port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)  # the session made for it above, and nothing else


def processor_seconds(pid: int) -> float:
    pids = [str(pid), *Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    stats = [Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in pids]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def drive(pid: int, port: int, seconds: int) -> tuple[float, float, float]:
    """Return requests/s, the 99th percentile in ms and the server's share of its core."""
    command = f"taskset -c 1 wrk -t1 -c16 -d{seconds}s --latency http://127.0.0.1:{port}/verify -H"
    words, begin = [*command.split(), f"ECI-ApiKey: {SAMPLE.decode()}"], time.monotonic()
    before, text = processor_seconds(pid), subprocess.check_output(words, text=True, timeout=30)
    share = (processor_seconds(pid) - before) / (time.monotonic() - begin)
    found = re.search(r" 99% +([\d.]+)([um]?s)\n.* requests in .*\nRequests/sec: +([\d.]+)", text)
    assert found, text  # lines about errors or refusals would stand before the last of these
    tail = float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]
    return float(found[3]), tail, round(share, 3)


def stop(python: str, at: str) -> dict[str, float]:
    """Tell a server to stop 0.5 s into a request that takes 1.5 s; an answer of 0 is none."""
    with serving(python, ("route", "bare", at)) as (process, port), ThreadPoolExecutor() as pool:
        asked = pool.submit(ask, port, "/slow")
        time.sleep(0.5)
        process.terminate()
        begin, status = time.perf_counter(), process.wait(10)
        seconds = round(time.perf_counter() - begin, 2)
        return {"answer": asked.result(6), "seconds": seconds, "exit_status": status}


def weigh(python: str, name: str) -> dict[str, float]:
    """Return a framework's import time (median of 7 fresh processes) and its distributions."""
    code = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
    code = code.format(name.replace("starlette", "starlette.applications"))
    times = [float(subprocess.check_output([python, "-c", code], timeout=60)) for _ in range(7)]
    dry = f"{python} -m pip install -qq --dry-run -I --report - {name}=={PINS[name]}"
    installs = json.loads(subprocess.check_output(dry.split(), timeout=300))["install"]
    return {"import_ms": round(median(times) * 1000, 1), "distributions": len(installs)}


def measure(python: str, rounds: int) -> dict[str, Any]:
    seen: dict[Row, list[tuple[float, float, float]]] = {row: [] for row in ROWS}
    until = time.monotonic() + 2400
    for turn in range(rounds):
        for row in ROWS[(first := turn * len(ROWS) // rounds) :] + ROWS[:first]:
            with serving(python, row) as (process, port):
                drive(process.pid, port, 2)  # warm-up
                while (one := drive(process.pid, port, 4))[2] < CALM and time.monotonic() < until:
                    time.sleep(5)
                seen[row].append(one)
    extra: dict[str, Any] = {name: weigh(python, name) for name in FRAMEWORKS}
    extra |= {f"stop {at}": stop(python, at) for at in SERVERS}
    print(*extra.items(), sep="\n")
    print(" " * 36, *(f"{title:>9}" for title in ("req/s", "spread", "ratio", "p99 ms")), "core")
    table = {}
    for row in ROWS:
        rates, tails, shares = zip(*seen[row], strict=True)
        middle, spread = median(rates), (max(rates) - min(rates)) / median(rates)
        ratio = median(one[0] / base[0] for one, base in zip(seen[row], seen[ROWS[0]], strict=True))
        line = {"median": middle, "spread": spread, "ratio": ratio, "p99_ms": median(tails)}
        table[", ".join(row)] = line | {"rates": rates, "shares": shares}
        print(f"{', '.join(row):35}", *(f"{number:9.2f}" for number in line.values()), min(shares))
    return {"rows": table} | extra


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare web frameworks and ASGI servers.")
    parser.add_argument("--python", help="an interpreter that already has the pinned versions")
    parser.add_argument("--json", type=Path, default=Path(os.devnull), help="results go here")
    parser.add_argument("--rounds", type=int, default=3, help="of 4 s for each row")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        python = str(Path(given.python or f"{place}/bin/python").absolute())
        if not given.python:
            subprocess.run([sys.executable, "-m", "venv", place], check=True, timeout=120)
            install = [python, "-m", "pip", "install", "-qq", *map("==".join, PINS.items())]
            subprocess.run(install, check=True, timeout=600)
        results = measure(python, given.rounds)
    cpu = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    results |= {"machine": [*cpu, os.uname().release, sys.version], "pins": PINS}
    given.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
