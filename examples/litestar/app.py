"""Orders behind Litestar.

Run with: uvicorn app:app
"""

from typing import Any

from litestar import Litestar, Request, get, post

from keyhalt import principal_in
from keyhalt.integrations.litestar import KeyhaltPlugin, require
from keyhalt.library import open_verifier

verifier = open_verifier(profile="../orders.toml")


@get("/orders", guards=[require("orders.view")])
async def orders(request: Request[Any, Any, Any]) -> dict[str, str]:
    return {"readBy": principal_in(request.scope).user_code}


@post("/orders", guards=[require("orders.create")])
async def place(request: Request[Any, Any, Any]) -> dict[str, str]:
    return {"createdBy": principal_in(request.scope).user_code}


@get("/health")
async def health() -> str:
    return "ok"


app = Litestar(
    [orders, place, health],
    plugins=[KeyhaltPlugin(verifier, open_paths=["/health", "/schema/openapi.json"])],
    on_shutdown=[verifier.close],
)
