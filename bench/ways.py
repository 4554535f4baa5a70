"""The ways of a request through the product, in process: the rows of the finer measurements.

    python -m bench.ways [WORD ...] [--rounds N] [--calls N]

Each way is one request, made and answered as uvicorn would, without a socket: what is left is the
product's own. The barrier form holds its lease by hand, on a store of files; all else of it is what
a process on PostgreSQL runs. Microseconds a request, the best of some rounds: for finding out where
time goes, not for claims.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.peers.contenders import ASKING
from bench.peers.keys import DELETED, FORGED, GOOD, MALFORMED
from bench.world import OPERATOR, ORIGIN, make_engine
from keyhalt import Authenticate
from keyhalt.client.middleware import ASGIApp, Message, Receive, Scope, Send
from keyhalt.core import keytext
from keyhalt.core.freshness import Freshness, Memory
from keyhalt.core.leases import Page
from keyhalt.embed import Engine
from keyhalt.system.clock import boottime
from keyhalt.usecases.find_policy import FindPolicy
from keyhalt.usecases.verify import Verify
from keyhalt.web.forward_auth.assertions import Signer
from keyhalt.web.forward_auth.endpoint import ForwardAuth
from keyhalt.web.forward_auth.vouching import Voucher

LEASE_SECONDS = 86_400
ASKED_PATH = "/forward-auth/generic/bench"
OK, REFUSED = 200, 401
BARE = "bare"
POLICY = """
name = "bench"
case = "exact"
assertion = "caller"
[[rule]]
methods = ["GET"]
path = "/meters/{meter}"
permission = "meters.view"
"""
Headers = tuple[tuple[bytes, bytes], ...]
# Of one connection that is kept.
_CLIENT, _SERVER = ("127.0.0.1", 40_000), ("127.0.0.1", 8_080)
_PLAIN = [(b"content-type", b"application/json"), (b"content-length", b"2")]


@dataclass(frozen=True, slots=True)
class Way:
    """`ask(send)` is one request, made anew each time. `status`: what it must be answered."""

    app: ASGIApp
    headers: Headers
    path: str
    status: int

    def ask(self, send: Send) -> Coroutine[Any, Any, None]:
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": _SERVER,
            "client": _CLIENT,
            "scheme": "http",
            "method": "GET",
            "root_path": "",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "headers": list(self.headers),
            "state": {},
        }
        return self.app(scope, _receive, send)  # type: ignore[return-value]

    async def check(self) -> None:
        """Raises AssertionError where it is answered otherwise than it must be."""
        said: list[int] = []

        async def send(message: Message) -> None:
            said.extend([message["status"]] if "status" in message else [])

        await self.ask(send)
        assert said == [self.status], (self.path, said)

    async def run(self, calls: int) -> None:
        for _ in range(calls):
            await self.ask(_send)


async def _receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(_message: Message) -> None:
    """What a server does with it is not the product's."""


async def bare(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": OK, "headers": _PLAIN})
    await send({"type": "http.response.body", "body": b"{}"})


@contextmanager
def ways() -> Iterator[Mapping[str, Way]]:
    """Each by its name: `middleware, barrier, good`. Nothing is remembered yet."""
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(Path(folder), memory_entries=1_000, owners=1)
        try:
            engine.manage_policies.apply(OPERATOR, POLICY, ORIGIN)
            texts = _texts(engine)
            yield {BARE: Way(bare, _sent({}, texts[GOOD]), "/", OK)} | _all(engine, texts)
        finally:
            engine.close()


def _all(engine: Engine, texts: Mapping[str, bytes]) -> dict[str, Way]:
    page = Page(1)
    page.apply([], 1)
    page.extend(boottime() + LEASE_SECONDS)
    found = {}
    for form, freshness in (("barrier", page), ("guarded", engine.freshness)):
        verify = _verify(engine, freshness)
        middleware = Authenticate(bare, verify)
        policies = FindPolicy(rights=engine.rights, freshness=freshness, profile=engine.profile)
        voucher = Voucher(Signer(engine.here.mac_keys), verify.realm, engine.clock)
        forward_auth = ForwardAuth(verify, policies, voucher)
        for kind, text in texts.items():
            status = OK if kind == GOOD else REFUSED
            found[f"middleware, {form}, {kind}"] = Way(middleware, _sent({}, text), "/", status)
            asked = Way(forward_auth, _sent(ASKING, text), ASKED_PATH, status)
            found[f"forward-auth, {form}, {kind}"] = asked
    return found


def _verify(engine: Engine, freshness: Freshness) -> Verify:
    return Verify(
        reader=engine.verifying.reader,
        memory=_memory(engine),
        freshness=freshness,
        here=replace(engine.here, insecure_http=True),
        catalogue=engine.profile.catalogue,
        recorder=engine.recorder,
        use=engine.use_recorder,
        clock=engine.clock,
        find_in_url=lambda _query: None,
    )


def _memory(engine: Engine) -> Memory:
    return Memory(1_000, leaving=engine.recording.witness.left)


def _texts(engine: Engine) -> dict[str, bytes]:
    """A text of each kind."""
    made = [
        engine.issue.create(
            OPERATOR, datasource_id=1, owner_id=1, name="key", description="", origin=ORIGIN
        )
        for _ in range(2)
    ]
    good, gone = (each.text.reveal() for each in made)
    engine.delete_key(OPERATOR, datasource_id=1, key_id=made[1].row.id, origin=ORIGIN)
    strange = replace(engine.here.mac_keys().minting, key=os.urandom(32))
    forged = keytext.mint(
        product="keyhalt",
        environment="Bench",
        datasource="acme",
        user_id=1,
        key_id=1,
        generation=strange,
        random=os.urandom(keytext.RANDOM_BYTES),
    ).reveal()
    texts = {GOOD: good, MALFORMED: "no-key", FORGED: forged, DELETED: gone}
    return {kind: text.encode() for kind, text in texts.items()}


def _sent(more: Mapping[str, str], text: bytes) -> Headers:
    """As wrk sends them in bench.peers."""
    told = {"host": "127.0.0.1:8080", **more}
    pairs = ((name.lower().encode(), value.encode()) for name, value in told.items())
    return (*pairs, (b"eci-apikey", text))


def microseconds(way: Way, calls: int) -> float:
    start = time.perf_counter_ns()
    asyncio.run(way.run(calls))
    return (time.perf_counter_ns() - start) / calls / 1000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.ways", description=__doc__)
    parser.add_argument("words", nargs="*", help="only ways whose names have all of these")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=3_000)
    said = parser.parse_args()
    with ways() as found:
        chosen = {n: w for n, w in found.items() if all(each in n for each in said.words)}
        best = dict.fromkeys(chosen, float("inf"))
        for way in chosen.values():
            asyncio.run(way.check())
        for _ in range(said.rounds):
            for name, way in chosen.items():
                best[name] = min(best[name], microseconds(way, said.calls))
        for name, least in best.items():
            print(f"{name:36} {least:8.2f} us")


if __name__ == "__main__":
    main()
