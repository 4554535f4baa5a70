"""What the contenders that are ASGI apps share: the answer, and making and deleting keys.

Every contender answers GET / with 200 or 401, makes a key at POST /keys and deletes one at
DELETE /keys/{id}. It runs in an environment of its own, so this needs only the standard library,
and uvicorn where it serves.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

Scope = dict[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]
Check = Callable[[bytes], Awaitable[bool]]
"""The value of the header, empty if it is not there."""
PLAIN = [(b"content-type", b"application/json"), (b"content-length", b"2")]


async def answer(send: Any, status: int, body: bytes = b"{}", headers: Any = PLAIN) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def bare(_scope: Scope, _receive: Any, send: Any) -> None:
    await answer(send, 200)


def checking(header: bytes, check: Check) -> App:
    """200 if the check says so, else 401."""

    async def app(scope: Scope, _receive: Any, send: Any) -> None:
        value = b""
        for name, each in scope["headers"]:
            if name == header:
                value = each
                break
        await answer(send, 200 if await check(value) else 401)

    return app


def made(key_id: object, header: str, good: str, forged: str, malformed: str) -> dict[str, str]:
    """What POST /keys tells; `forged` has the shape of a key, `malformed` has not."""
    return {
        "id": str(key_id),
        "header": header,
        "good": good,
        "forged": forged,
        "malformed": malformed,
    }


def other(text: str) -> str:
    """The same text with another secret: its last 12 characters turned round by one."""
    return text[:-12] + "".join("B" if each == "A" else "A" for each in text[-12:])


def contender(
    guarded: App,
    create: Callable[[], Awaitable[dict[str, str]]],
    delete: Callable[[str], Awaitable[None]] | None,
    close: Callable[[], Awaitable[None]] | None = None,
) -> App:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        elif scope["method"] == "GET":
            await guarded(scope, receive, send)
        else:
            body = b"{}"
            if scope["method"] == "POST":
                body = json.dumps(await create()).encode()
            elif delete is not None:
                await delete(scope["path"].rpartition("/")[2])
            headers = [(b"content-length", str(len(body)).encode())]
            await answer(send, 200, body, headers)

    async def lifespan(receive: Any, send: Any) -> None:
        while True:
            kind = (await receive())["type"]
            if kind == "lifespan.shutdown" and close is not None:
                await close()
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return

    return app


def serve(app: App, port: int) -> None:
    """As production would: uvicorn on uvloop and httptools, no access log."""
    import uvicorn  # noqa: PLC0415 - the contender's own

    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_level="warning",
    )
