"""What counting the use of keys costs: the same requests with it on and off. `make bench`.

Over HTTP: `Authenticate` around an app that only answers, on SQLite; off, neither use nor who was
let through last is kept. In process, without a network, use alone and 10,000 keys in turns: the
same, where nothing hides what counting costs, and the whole server with an operation that only
answers. The claim is made of the first and the last. On and off take turns within a round, and the
figure is a ratio within it. The recorder's thread runs as it does in a server.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.loads import ROOT, drive, free_port, process
from bench.peers.keys import COUNT, GOOD, make
from bench.world import make_engine, make_keys
from keyhalt import AppContext, Authenticate, Call, Operation, Reply
from keyhalt.client.middleware import ASGIApp, Message, Receive, Scope, Send
from keyhalt.config import load_settings
from keyhalt.core.decisions import Allowed, Presented
from keyhalt.embed import Engine
from keyhalt.running import application

ROUNDS = 25
KEYS = 10_000
CALLS = 4_000
RATIO_MIN = 0.94
HTTP_ROUNDS = 9
HTTP = "over HTTP, `Authenticate` around an app that only answers"
AROUND = "in process, the same"
SERVER = "in process, the server with an operation that only answers"
CONTENDER = ROOT / "bench" / "contenders" / "keyhalt" / "app.py"
_clients: dict[bytes, tuple[str, int]] = {}
HEADERS = [(b"host", b"api.example"), (b"user-agent", b"bench/1"), (b"accept", b"*/*")]


class Plain:
    """An app behind the keys that costs next to nothing."""

    def __init__(self, context: AppContext) -> None:
        self._need = context.catalogue.need("meters", "view")

    def operations(self) -> list[Operation]:
        return [Operation("Get", "GET", "/api/v3/plain", self._need, self._get)]

    def _get(self, _call: Call) -> Reply:
        return Reply({})

    def close(self) -> None:
        """Nothing is open."""


async def bare(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: Message) -> None:
    assert message.get("status", 200) == 200, message


def scopes_of(texts: list[bytes], path: str) -> list[Scope]:
    return [
        {
            "type": "http",
            "method": "GET",
            "path": path,
            "scheme": "https",
            "query_string": b"",
            # A connection of its own that it keeps, as programs do.
            "client": _clients.setdefault(text, ("203.0.113.9", len(_clients))),
            "headers": [*HEADERS, (b"eci-apikey", text)],
        }
        for text in texts
    ]


async def microseconds(app: ASGIApp, scopes: list[Scope]) -> float:
    each = [dict(scope) for scope in scopes]
    start = time.perf_counter_ns()
    for scope in each:
        await app(scope, _receive, _send)
    return (time.perf_counter_ns() - start) / len(each) / 1000


def _nothing(*_how: object) -> None:
    """Off: the call is made, nothing is counted."""


def on_and_off(engine: Engine, make: Callable[[], ASGIApp]) -> dict[bool, ASGIApp]:
    """The app with counting on, and off. What counts is bound when an app is made."""
    counting = engine.verify.used
    apps = {True: make()}
    engine.verify.used = _nothing
    apps[False] = make()
    engine.verify.used = counting
    return apps


async def measure(apps: dict[bool, ASGIApp], texts: list[bytes], path: str) -> list[float]:
    """The ratio of throughput with counting on to that with it off, a round each."""
    ratios, medians = [], {True: [], False: []}
    for turn in range(ROUNDS):
        scopes = scopes_of(random.Random(turn).sample(texts, min(CALLS, len(texts))), path)
        took = {}
        for on in (True, False) if turn % 2 else (False, True):
            took[on] = await microseconds(apps[on], scopes)
            medians[on].append(took[on])
        ratios.append(took[False] / took[True])
    for on, values in medians.items():
        print(f"  counting {'on ' if on else 'off'} {statistics.median(values):8.2f} us a request")
    return ratios


async def run(engine: Engine, texts: list[bytes], folder: Path) -> dict[str, float]:
    for text in texts:
        decision = await engine.verify.verify(Presented(keys=(text,), over_https=True))
        assert isinstance(decision, Allowed)
    settings = load_settings(data=str(folder), apps="", access_log=False)
    context = AppContext(profile=engine.profile, folder=folder)

    def server() -> ASGIApp:
        return application(settings, engine, [Plain(context)])  # type: ignore[list-item]

    bare_ones = on_and_off(engine, lambda: Authenticate(bare, engine.verify))
    servers = on_and_off(engine, server)
    gc.collect()
    gc.freeze()
    told = {}
    for name, apps, path in (
        (AROUND, bare_ones, "/"),
        (SERVER, servers, "/api/v3/plain"),
    ):
        print(name)
        told[name] = statistics.median(await measure(apps, texts, path))
        print(f"  throughput with it on / off = {told[name]:.3f}")
    return told


def over_http() -> float:
    """The median ratio of requests a second with all of it on to those with it off."""
    ratios = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running = {}
        for form in ("middleware", "uncounted"):
            port = free_port()
            command = (sys.executable, CONTENDER, port, "", folder / form, form)
            (folder / form).mkdir()
            variables = {"PYTHONPATH": str(CONTENDER.parents[1])}
            stack.enter_context(process(*command, port=port, variables=variables))
            running[form] = (
                port,
                [{key.header: key.texts[GOOD]} for key in (make(port) for _ in range(COUNT))],
            )
        for turn in range(HTTP_ROUNDS + 1):
            forms = list(running) if turn % 2 else list(running)[::-1]
            rates = {form: drive(running[form][0], "/", running[form][1], 2).rate for form in forms}
            ratios.append(rates["middleware"] / rates["uncounted"])
    # In the first round keys are seen for the first time.
    return statistics.median(ratios[1:])


def main() -> int:
    told = {HTTP: over_http()}
    print(f"{HTTP}: throughput with it on / off = {told[HTTP]:.3f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine = make_engine(folder, memory_entries=50_000)
        told |= asyncio.run(run(engine, make_keys(engine, KEYS), folder))
        start = time.perf_counter()
        engine.use_recorder.flush()
        print(f"what was left is written in {(time.perf_counter() - start) * 1000:.0f} ms")
        engine.close()
    (ROOT / "bench" / "results" / "counting.json").write_text(json.dumps(told, indent=1) + "\n")
    print(f"over HTTP and of the server, at least {RATIO_MIN}")
    return int(min(told[HTTP], told[SERVER]) < RATIO_MIN)


if __name__ == "__main__":
    sys.exit(main())
