"""A whole server in this process, asked without a socket: a request's headers to its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.world import OPERATOR, ORIGIN, make_engine
from keyhalt.client.middleware import ASGIApp, Message
from keyhalt.config import load_settings
from keyhalt.core.principals import UserFacts
from keyhalt.core.secrets import Secret
from keyhalt.embed import Engine
from keyhalt.running import application, load_apps
from keyhalt.usecases.people import UserDraft

Header = tuple[bytes, bytes]


class Answer(NamedTuple):
    """`head`: the message that began it."""

    status: int
    head: Message
    body: bytes


async def ask(
    app: ASGIApp,
    method: str,
    url: str,
    headers: Sequence[Header],
    body: bytes = b"",
    source: str = "127.0.0.1",
) -> Answer:
    path, _, query = url.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "scheme": "https",
        "path": path,
        "query_string": query.encode(),
        "headers": list(headers),
        "client": (source, 1),
    }
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def send(message: Message) -> None:
        said.append(message)

    await app(scope, receive, send)
    whole = b"".join(each.get("body", b"") for each in said[1:])
    return Answer(said[0]["status"], said[0], whole)


def add_boss(engine: Engine, tops: dict[str, tuple[int, ...]], password: str | None = None) -> int:
    """A user with every right, who sees from `tops`. Returns their id."""
    role = engine.profile.administrator_role
    secret = None if password is None else Secret(password)
    draft = UserDraft("boss", "Boss", "", role, secret, tops)
    made = engine.manage_users.create(OPERATOR, 1, draft, ORIGIN)
    assert isinstance(made, UserFacts), made
    return made.user_id


def key_of(engine: Engine, owner_id: int) -> bytes:
    """The text of a new key."""
    issued: Any = engine.issue.create(
        OPERATOR, datasource_id=1, owner_id=owner_id, name="key", description="", origin=ORIGIN
    )
    text: str = issued.text.reveal()
    return text.encode()


class Whole:
    """The server with the energy API, a small portfolio in it, on a loop of its own."""

    def __init__(self, folder: Path, owners: int) -> None:
        self.engine = make_engine(folder, memory_entries=1_000, owners=owners)
        settings = load_settings(data=folder, insecure_http=True)
        self.apps = load_apps(settings)
        sizes = {"meters": 20, "bills": 100}
        views = self.apps[0].load_sample(1, 1, sizes=sizes, progress=lambda _done, _all: None)
        self.tops = {name: (root,) for name, root in views[0].items()}
        self.app = application(settings, self.engine, self.apps)
        self._loop = asyncio.new_event_loop()

    def asked(self, method: str, url: str, headers: Sequence[Header], body: bytes = b"") -> Answer:
        return self._loop.run_until_complete(ask(self.app, method, url, headers, body))

    def close(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
        for app in self.apps:
            app.close()
        self.engine.close()
