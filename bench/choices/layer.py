"""What a layer in front of an ASGI app can cost at least, and what ours does: docs/decisions/0009.

    python -m bench.choices.layer [--rounds N] [--json FILE]

Whole requests through uvicorn's HTTP, with a transport that sends nothing: so without the kernel,
which takes about as long again. Each layer does what the one before it does, and a little more, up
to what the middleware does in barrier form. Microseconds over the bare app; medians of the rounds,
in which all take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from pathlib import Path

import uvloop
from bench.ways import BARE, Way, ways
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from keyhalt.client.credentials import SECURE, only_key
from keyhalt.client.middleware import PRINCIPAL, VERIFIER, ASGIApp, Receive, Scope, Send
from keyhalt.core.decisions import Denied
from keyhalt.usecases.verify import Verify
from keyhalt.web.server import server_config

GOOD = "middleware, barrier, good"
REQUESTS = 1_000


class Silent(asyncio.Transport):
    """A connection from somewhere that takes whatever is written."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        ends = {"peername": ("127.0.0.1", 40_000), "sockname": ("127.0.0.1", 8_080)}
        return ends.get(name, default)

    def write(self, data: object) -> None: ...
    def is_closing(self) -> bool:
        return False

    def close(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Nothing:
    """It awaits the app: no layer can do less."""

    def __init__(self, app: ASGIApp, verify: Verify) -> None:
        self.app, self.verify = app, verify
        self.remembered = verify.remembered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class FindsKey(Nothing):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            only_key(scope["headers"])
        await self.app(scope, receive, send)


class Remembers(Nothing):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            self.remembered(only_key(scope["headers"]), scope.get("scheme") in SECURE)
        await self.app(scope, receive, send)


class Hands(Nothing):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = only_key(scope["headers"])
        principal = self.remembered(key, scope.get("scheme") in SECURE)
        assert not isinstance(principal, Denied)
        scope[PRINCIPAL], scope[VERIFIER] = principal, self.verify
        await self.app(scope, receive, send)


def connected(app: ASGIApp) -> HttpToolsProtocol:
    config = server_config(app)
    config.load()
    protocol = HttpToolsProtocol(config=config, server_state=ServerState(), app_state={})
    protocol.connection_made(Silent())
    return protocol


async def microseconds(protocol: HttpToolsProtocol, request: bytes) -> float:
    began = time.perf_counter_ns()
    for _ in range(REQUESTS):
        protocol.data_received(request)
        # It is answered at the next turn of the loop: no event would be quicker.
        while protocol.cycle is not None and not protocol.cycle.response_complete:  # noqa: ASYNC110
            await asyncio.sleep(0)
    return (time.perf_counter_ns() - began) / REQUESTS / 1000


def request_of(way: Way) -> bytes:
    lines = [b"%b: %b\r\n" % each for each in way.headers if each[0].lower() != b"host"]
    return b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n" + b"".join(lines) + b"\r\n"


async def measure(rounds: int) -> dict[str, float]:
    with ways() as found:
        good, bare = found[GOOD], found[BARE].app
        await good.check()
        # As a request takes it; the middleware is given one like this.
        verify = good.app._verifier  # type: ignore[attr-defined]  # noqa: SLF001
        apps: dict[str, ASGIApp] = {
            "bare": bare,
            "a layer that does nothing": Nothing(bare, verify),
            "finds the key": FindsKey(bare, verify),
            "and what is remembered of it": Remembers(bare, verify),
            "and hands it to the app": Hands(bare, verify),
            "and counts its use: the middleware": good.app,
        }
        request = request_of(good)
        protocols = {name: connected(app) for name, app in apps.items()}
        took: dict[str, list[float]] = {name: [] for name in protocols}
        for _ in range(rounds):
            for name, protocol in protocols.items():
                took[name].append(await microseconds(protocol, request))
    return {name: statistics.median(times) for name, times in took.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.choices.layer", description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    found = uvloop.run(measure(said.rounds))
    for name, took in found.items():
        print(f"{name:36} {took:6.2f} us  +{took - found['bare']:5.2f}")
    if said.json:
        said.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
