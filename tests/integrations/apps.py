"""The same small app in every framework: /orders needs orders.view, /health is open."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI

from keyhalt import Authenticate, Principal, principal_in
from keyhalt.integrations.fastapi import protect, require

OPEN = ("/health",)
Make = Callable[[], Any]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key.lower() == name)


Ask = Callable[..., Answer]


@contextmanager
def asgi(app: Any) -> Iterator[Ask]:
    from starlette.testclient import TestClient

    with TestClient(app, base_url="https://testserver", raise_server_exceptions=False) as http:

        def ask(path: str, *headers: tuple[str, str], scheme: str = "https") -> Answer:
            got = http.get(f"{scheme}://testserver{path}", headers=list(headers))
            return Answer(got.status_code, list(got.headers.multi_items()), got.content)

        yield ask


@contextmanager
def fastapi_app(make: Make) -> Iterator[Ask]:
    app = FastAPI()
    verifier = make()
    protect(app, verifier, open_paths=(*OPEN, "/openapi.json"))

    router = APIRouter(prefix="/orders")

    @app.get("/orders")
    def orders(caller: Annotated[Principal, Depends(require("orders.view"))]) -> dict[str, str]:
        return {"by": caller.user_code}

    @router.get("/new")
    async def create(caller: Annotated[Principal, Depends(require("orders.create"))]) -> str:
        return caller.user_code

    @app.get("/health")
    def health() -> str:
        return "ok"

    app.include_router(router)
    with asgi(app) as ask:
        yield ask
    verifier.close()


@contextmanager
def starlette_app(make: Make) -> Iterator[Ask]:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from keyhalt.integrations.starlette import require

    @require("orders.view")
    def orders(request: Any) -> JSONResponse:
        return JSONResponse({"by": principal_in(request.scope).user_code})

    @require("orders.create")
    async def create(request: Any) -> JSONResponse:
        return JSONResponse(principal_in(request.scope).user_code)

    def health(_request: Any) -> JSONResponse:
        return JSONResponse("ok")

    verifier = make()
    routes = [Route("/orders", orders), Route("/orders/new", create), Route("/health", health)]
    layer = Middleware(Authenticate, verifier=verifier, open_paths=OPEN)
    with asgi(Starlette(routes=routes, middleware=[layer])) as ask:
        yield ask
    verifier.close()


@contextmanager
def litestar_app(make: Make) -> Iterator[Ask]:
    from litestar import Litestar, Request, get

    from keyhalt.integrations.litestar import KeyhaltPlugin, require

    async def orders(request: Request[Any, Any, Any]) -> dict[str, str]:
        return {"by": principal_in(request.scope).user_code}  # type: ignore[arg-type]

    async def create() -> str:
        return "made"

    async def health() -> str:
        return "ok"

    for each in (orders, create, health):
        # Litestar reads annotations where it is imported, and here it is not.
        each.__annotations__ = {
            "return": {"orders": dict[str, str]}.get(each.__name__, str),
            **({"request": Request[Any, Any, Any]} if each is orders else {}),
        }
    handlers = [
        get("/orders", guards=[require("orders.view")])(orders),
        get("/orders/new", guards=[require("orders.create")])(create),
        get("/health")(health),
    ]
    verifier = make()
    plugin = KeyhaltPlugin(verifier, open_paths=(*OPEN, "/schema/openapi.json"))
    with asgi(Litestar(handlers, plugins=[plugin])) as ask:
        yield ask
    verifier.close()


def wsgi(app: Any) -> Ask:
    from werkzeug.test import Client, EnvironBuilder

    client = Client(app)

    def ask(path: str, *headers: tuple[str, str], scheme: str = "https") -> Answer:
        builder = EnvironBuilder(path, base_url=f"{scheme}://testserver/", headers=list(headers))
        got = client.open(builder)
        return Answer(got.status_code, list(got.headers.items()), got.get_data())

    return ask


@contextmanager
def flask_app(make: Make) -> Iterator[Ask]:
    from flask import Flask

    from keyhalt.integrations.flask import Keyhalt

    app = Flask("orders")
    keys = Keyhalt(make, open_paths=OPEN)
    keys.init_app(app)

    @app.get("/orders")
    @keys.require("orders.view")
    def orders() -> dict[str, str]:
        return {"by": keys.principal.user_code}

    @app.get("/orders/new")
    @keys.require("orders.create")
    def create() -> str:
        return keys.principal.user_code

    @app.get("/health")
    def health() -> str:
        return "ok"

    yield wsgi(app)
    keys.close()


class Urls:
    """A Django URLconf; any object with `urlpatterns` is one."""

    def __init__(self) -> None:
        from django.http import JsonResponse
        from django.urls import path
        from rest_framework.response import Response
        from rest_framework.views import APIView

        from keyhalt.integrations.django import principal_of, require
        from keyhalt.integrations.drf import HasPermission, KeyhaltAuthentication

        @require("orders.view")
        def orders(request: Any) -> Any:
            return JsonResponse({"by": principal_of(request).user_code})

        @require("orders.create")
        def create(request: Any) -> Any:
            return JsonResponse(principal_of(request).user_code, safe=False)

        class Orders(APIView):  # type: ignore[misc]
            authentication_classes = (KeyhaltAuthentication,)
            permission_classes = (HasPermission("orders.view"),)

            def get(self, request: Any) -> Response:
                return Response({"by": request.user.get_username()})

        class Create(Orders):
            permission_classes = (HasPermission("orders.create"),)

        def health(_request: Any) -> Any:
            return JsonResponse("ok", safe=False)

        self.urlpatterns = [
            path("orders", orders),
            path("orders/new", create),
            path("health", health),
            path("rest/orders", Orders.as_view()),
            path("rest/orders/new", Create.as_view()),
        ]


@contextmanager
def django_app(make: Make, prefix: str = "") -> Iterator[Ask]:
    import django
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler
    from django.test.utils import override_settings

    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"],
            MIDDLEWARE=["keyhalt.integrations.django.KeyhaltMiddleware"],
            INSTALLED_APPS=["rest_framework"],
            REST_FRAMEWORK={"UNAUTHENTICATED_USER": None},
        )
        django.setup()
    with override_settings(
        ROOT_URLCONF=tuple(Urls().urlpatterns), KEYHALT={"verifier": make, "open_paths": OPEN}
    ):
        handler = WSGIHandler()
        ask = wsgi(handler)
        yield lambda path, *headers, **more: ask(
            path if path == "/health" else prefix + path, *headers, **more
        )
        _middleware(handler).close()


def _middleware(handler: Any) -> Any:
    """The instance that Django wrapped in its own conversions of exceptions."""
    from keyhalt.integrations.django import KeyhaltMiddleware

    outer = handler._middleware_chain
    found = outer.__wrapped__ if hasattr(outer, "__wrapped__") else outer
    assert isinstance(found, KeyhaltMiddleware), found
    return found


@contextmanager
def drf_app(make: Make) -> Iterator[Ask]:
    with django_app(make, prefix="/rest") as ask:
        yield ask


APPS = {
    "fastapi": fastapi_app,
    "starlette": starlette_app,
    "litestar": litestar_app,
    "flask": flask_app,
    "django": django_app,
    "drf": drf_app,
}
