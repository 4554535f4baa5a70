"""A storm of sign-ins leaves everybody else alone. Shown by what is answered, not by a clock."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections import Counter
from typing import Any

from keyhalt.config import load_settings
from keyhalt.core.decisions import Denied
from keyhalt.core.secrets import Secret
from keyhalt.running import application
from keyhalt.system.passwords import Argon2Passwords, at_once
from keyhalt.web.lane import SOURCE_MAX, WAITING_MAX, Lane
from tests.world import World

STORM = 200


class Gated(Argon2Passwords):
    """Checks of passwords that take until the gate is opened: as slow as can be."""

    def __init__(self) -> None:
        super().__init__(1)
        self.gate = threading.Event()

    def matches(self, password_hash: str | None, password: Secret) -> bool:
        assert self.gate.wait(60)
        return super().matches(password_hash, password)


async def ask(
    app: Any, method: str, path: str, source: str, body: object = None, **headers: str
) -> tuple[int, dict[str, str]]:
    """One request on this loop: status and headers."""
    sent: list[Any] = []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "scheme": "https",
        "client": (source, 1),
        "headers": [(name.replace("_", "-").encode(), v.encode()) for name, v in headers.items()],
    }

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": json.dumps(body).encode() if body else b""}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], {n.decode(): v.decode() for n, v in sent[0]["headers"]}


async def in_a_storm(app: Any, passwords: Gated, key: str) -> tuple[Counter[int], Counter[int]]:
    """What 200 sign-ins from as many sources are answered, and what a key is meanwhile."""

    def sign_in(number: int) -> Any:
        body = {"dataSource": "acme", "username": f"user{number}", "password": "wrong"}
        return ask(app, "POST", "/api/v3/login", f"10.0.0.{number}", body)

    storm = [asyncio.create_task(sign_in(number)) for number in range(STORM)]
    refused = STORM - 1 - WAITING_MAX
    for answered in itertools.islice(asyncio.as_completed(storm), refused):
        await answered
    # Nothing that the storm holds is needed by those with a key: not in the loop, not in threads.
    meanwhile = [
        await ask(app, "GET", path, "10.1.0.1", eci_apikey=key)
        for path in ["/api/v3/order"] * 100 + ["/api/v3/order/slow"]
    ]
    assert sum(task.done() for task in storm) == refused
    early = [task.result() for task in storm if task.done()]
    assert all(headers["retry-after"] == "1" for _, headers in early)
    passwords.gate.set()
    answers = Counter(status for status, _ in await asyncio.gather(*storm))
    return answers, Counter(status for status, _ in meanwhile)


def test_a_storm_of_sign_ins_holds_nothing_that_a_key_needs(world: World) -> None:
    """While no password check ends at all, keys are answered; the queue is bounded, with 503."""
    world.engine.passwords = passwords = Gated()
    _, key = world.key(world.user("jsmith", "orders.view"))
    app = application(load_settings(**world.settings), world.engine, [world.orders])
    storm, meanwhile = asyncio.run(in_a_storm(app, passwords, key))
    assert meanwhile == {200: 101}
    assert storm == {401: 1 + WAITING_MAX, 503: STORM - 1 - WAITING_MAX}
    busy = [event for event in world.denials() if event.reason == "sign_ins_busy"]
    assert busy
    assert {event.details["answered"] for event in busy} == {"unavailable"}


def test_all_processes_together_check_passwords_on_half_of_the_cores() -> None:
    """Each at least one at a time."""
    import os

    cores = os.cpu_count() or 1
    for processes in (1, 2, 4, 64):
        together = at_once(processes) * processes
        assert at_once(processes) >= 1
        assert together <= max(cores / 2, processes)


def test_one_source_does_not_keep_the_others_from_signing_in() -> None:
    """It has a quarter of the places; when one of its own is free again, it may have it."""
    gate = threading.Event()

    async def storm() -> tuple[list[object], object, object]:
        lane = Lane(1)
        flood = [asyncio.create_task(lane.run("10.0.0.1", gate.wait, 60)) for _ in range(100)]
        other = asyncio.create_task(lane.run("10.0.0.2", lambda: "in"))
        await asyncio.sleep(0)
        gate.set()
        answers = await asyncio.gather(*flood)
        again = await lane.run("10.0.0.1", lambda: "in")
        try:
            return list(answers), await other, again
        finally:
            lane.close()

    flood, other, again = asyncio.run(storm())
    refused = sum(isinstance(each, Denied) for each in flood)
    assert (len(flood) - refused, other, again) == (SOURCE_MAX, "in", "in")
