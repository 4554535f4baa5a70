"""The limit: an ASGI app that checks nothing, on the server that Keyhalt runs on.

    app.py PORT DATABASE FOLDER [HEADERS]

HEADERS: a JSON file of the headers that are sent instead, with an empty body.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import plain
import uvicorn

from keyhalt.web.server import listen, server_config


async def create() -> dict[str, str]:
    # As long as a key of ours, so that reading the request costs the same.
    text = "any" * 30
    return plain.made(0, "ECI-ApiKey", text, text, text)


def telling(headers: list[tuple[bytes, bytes]]) -> plain.App:
    async def app(_scope: plain.Scope, _receive: Any, send: Any) -> None:
        await plain.answer(send, 200, b"", headers)

    return app


if __name__ == "__main__":
    app = plain.bare
    if len(sys.argv) > 4:
        told = json.loads(Path(sys.argv[4]).read_text())
        app = telling([(name.encode(), value.encode()) for name, value in told])
    config = server_config(plain.contender(app, create, None))
    uvicorn.Server(config).run(sockets=[listen("127.0.0.1", int(sys.argv[1]))])
