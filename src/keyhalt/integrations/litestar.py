"""For Litestar: a plugin that protects an app, and a guard for each permission.

app = Litestar([orders], plugins=[KeyhaltPlugin(verifier)])

@get("/orders", guards=[require("orders.view")])
async def orders(request: Request) -> list[Order]: ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Litestar, Request, Response
from litestar.middleware import DefineMiddleware
from litestar.openapi.spec import (
    Components,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Reference,
    Schema,
    SecurityScheme,
)
from litestar.plugins import InitPlugin

from keyhalt.client.credentials import KEY_HEADER_NAME, origin_of, request_id_of
from keyhalt.client.middleware import Authenticate, NotPermittedError, permitted
from keyhalt.client.openapi import PROBLEM, PROBLEM_NAME, SCHEME, SCHEME_NAME
from keyhalt.client.problems import problem_of
from keyhalt.client.setting_up import open_paths_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from litestar.config.app import AppConfig
    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler
    from litestar.types import Guard

    from keyhalt.client.middleware import Verifier

_PERMISSION = "keyhalt_permission"


def require(name: str) -> Guard:
    """A guard: the handler runs only if the key's owner has the permission `name`; else 403."""

    async def guard(
        connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler
    ) -> None:
        permitted(connection.scope, name)  # type: ignore[arg-type]  # Litestar's scope is one

    setattr(guard, _PERMISSION, name)
    return guard


class KeyhaltPlugin(InitPlugin):
    """Asks for a key at every route but `open_paths`, and says so in the OpenAPI document."""

    def __init__(self, verifier: Verifier, *, open_paths: Collection[str] = ()) -> None:
        self._verifier = verifier
        self._open = open_paths_of(open_paths)

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        plain: Any = Authenticate  # Litestar names the messages of ASGI; we take any mapping
        layer = DefineMiddleware(plain, verifier=self._verifier, open_paths=self._open)
        app_config.middleware.insert(0, layer)
        app_config.exception_handlers[NotPermittedError] = self._deny
        app_config.on_startup.append(self._describe)
        return app_config

    def _deny(self, request: Request[Any, Any, Any], no: NotPermittedError) -> Response[bytes]:
        scope: dict[str, Any] = dict(request.scope)
        request_id_of(scope)
        origin = origin_of(scope)
        denied = self._verifier.refused(no.denied, origin)
        problem = problem_of(denied, realm=self._verifier.realm, request_id=origin.request_id)
        headers = {name.decode(): value.decode("latin-1") for name, value in problem.headers}
        kind = headers.pop("content-type")
        return Response(problem.body, status_code=problem.status, headers=headers, media_type=kind)

    def _describe(self, app: Litestar) -> None:
        if app.openapi_config is None:
            return
        document = app.openapi_schema
        document.components = document.components or Components()
        schemes = document.components.security_schemes or {}
        schemes[SCHEME_NAME] = SecurityScheme(
            type="apiKey",
            name=KEY_HEADER_NAME,
            security_scheme_in="header",
            description=SCHEME["description"],
        )
        document.components.security_schemes = schemes
        document.components.schemas[PROBLEM_NAME] = Schema(
            type=PROBLEM["type"], description=PROBLEM["description"], required=PROBLEM["required"]
        )
        for route in app.routes:
            item = (document.paths or {}).get(route.path_format)
            if item is None or route.path_format in self._open:
                continue
            for handler in getattr(route, "route_handlers", ()):
                guards = handler.resolve_guards()
                names = [g for g in (getattr(each, _PERMISSION, None) for each in guards) if g]
                for method in handler.http_methods:
                    operation = getattr(item, method.lower(), None)
                    if operation is not None:
                        _protect(operation, names)


def _protect(operation: Operation, permissions: list[str]) -> None:
    operation.security = operation.security or [{SCHEME_NAME: []}]
    answers = operation.responses = operation.responses or {}
    answers.setdefault("401", _answer("No API key, or one that does not count."))
    if permissions:
        answers.setdefault(
            "403", _answer(f"The owner of the key lacks {' and '.join(permissions)}.")
        )


def _answer(description: str) -> OpenAPIResponse:
    schema = Reference(ref=f"#/components/schemas/{PROBLEM_NAME}")
    content = {"application/problem+json": OpenAPIMediaType(schema=schema)}
    return OpenAPIResponse(description=description, content=content)
