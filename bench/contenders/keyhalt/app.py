"""Keyhalt, as middleware in front of the bare app, or its own server asked by a proxy.

    app.py PORT DATABASE FOLDER middleware|forward-auth|uncounted

The last is the first with nothing kept of what keys do (bench/counting.py).

DATABASE: empty for SQLite in FOLDER. The environment is made here if it is not there yet.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

import plain
import uvicorn

from keyhalt import Authenticate
from keyhalt.core import keytext
from keyhalt.core.audit import Origin
from keyhalt.core.principals import Operator
from keyhalt.embed import Engine
from keyhalt.environments import load_environment
from keyhalt.library import EmbeddedVerifier
from keyhalt.main import MainTools, application
from keyhalt.opening import open_environment
from keyhalt.usecases.people import UserDraft
from keyhalt.web.server import listen, server_config

OPERATOR, ORIGIN = Operator("bench"), Origin("", "bench", "bench")
POLICY = """
name = "bench"
case = "exact"
assertion = "caller"
[[rule]]
methods = ["GET"]
path = "/meters/{meter}"
permission = "meters.view"
"""


class Keys:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _create(self) -> dict[str, str]:
        issued = self._engine.issue.create(
            OPERATOR, datasource_id=1, owner_id=1, name="key", description="", origin=ORIGIN
        )
        text = issued.text.reveal()
        return plain.made(issued.row.id, "ECI-ApiKey", text, self._forged(), "no-key")

    def _forged(self) -> str:
        """Whole and of this environment, made with a MAC key that is not ours."""
        generation = self._engine.here.mac_keys().minting
        strange = replace(generation, key=os.urandom(32))
        return keytext.mint(
            product="keyhalt",
            environment="Bench",
            datasource="acme",
            user_id=1,
            key_id=1,
            generation=strange,
            random=os.urandom(19),
        ).reveal()

    async def create(self) -> dict[str, str]:
        return await asyncio.to_thread(self._create)

    async def delete(self, key_id: str) -> None:
        delete = self._engine.delete_key
        await asyncio.to_thread(
            delete, OPERATOR, datasource_id=1, key_id=int(key_id), origin=ORIGIN
        )


def settle(folder: Path) -> None:
    """Make the environment with one user, unless it is there."""
    if (folder / "mac-keys.toml").exists():
        return
    row = {"environment": "Bench", "product": "keyhalt", "acting": OPERATOR, "origin": ORIGIN}
    MainTools().init(**row)
    with MainTools().engine() as engine:
        datasource = engine.set_up.datasource(OPERATOR, "acme", ORIGIN)
        tops = {"places": (1,), "costCenters": (2,)}
        draft = UserDraft("owner", "Owner", "", "Default", None, tops)
        engine.manage_users.create(OPERATOR, datasource.id, draft, ORIGIN)
        engine.manage_policies.apply(OPERATOR, POLICY, ORIGIN)


def stop_counting(engine: Engine) -> None:
    """What this process would keep of keys' use, and of who was let through last, is dropped."""

    def nothing(*_told: object) -> None:
        """Called as counting is."""

    engine.verify.used = nothing
    engine.verify._witness = nothing  # noqa: SLF001 - there is no setting for it, on purpose


def main() -> None:
    port, database, folder, form = sys.argv[1:5]
    os.environ.update(KEYHALT_DATA=folder, KEYHALT_INSECURE_HTTP="true", KEYHALT_APPS="")
    if database:
        os.environ["KEYHALT_DATABASE_URL"] = database
    os.environ["KEYHALT_INTERNAL_PORT"] = port
    settle(Path(folder))
    environment = load_environment("", {})
    engine = open_environment(environment)
    if form == "uncounted":
        stop_counting(engine)
    if form != "forward-auth":
        guarded = Authenticate(plain.bare, EmbeddedVerifier(engine))
    else:
        guarded = application(environment.settings, engine, [])
    keys = Keys(engine)

    async def close() -> None:
        await asyncio.to_thread(engine.close)

    config = server_config(plain.contender(guarded, keys.create, keys.delete, close))
    uvicorn.Server(config).run(sockets=[listen("127.0.0.1", int(port))])


if __name__ == "__main__":
    main()
