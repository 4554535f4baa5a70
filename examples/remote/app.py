"""Orders behind Starlette, on a machine without the stores: asks a server every time.

Run with: KEYHALT_URL=http://127.0.0.1:8081 uvicorn app:app
"""

import os

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from keyhalt import Authenticate, RemoteVerifier, principal_in
from keyhalt.integrations.starlette import require

verifier = RemoteVerifier(os.environ["KEYHALT_URL"], timeout_seconds=2.0)


@require("orders.view")
async def orders(request: Request) -> JSONResponse:
    return JSONResponse({"readBy": principal_in(request.scope).user_code})


@require("orders.create")
def place(request: Request) -> JSONResponse:
    return JSONResponse({"createdBy": principal_in(request.scope).user_code})


async def health(_request: Request) -> JSONResponse:
    return JSONResponse("ok")


app = Starlette(
    routes=[
        Route("/orders", orders),
        Route("/orders", place, methods=["POST"]),
        Route("/health", health),
    ],
    middleware=[Middleware(Authenticate, verifier=verifier, open_paths=["/health"])],
)
