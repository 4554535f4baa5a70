"""For FastAPI: one call that protects an app, and a dependency for each permission.

protect(app, verifier, open_paths=["/docs", "/openapi.json"])

@app.get("/orders")
def orders(caller: Annotated[Principal, Depends(require("orders.view"))]): ...
"""
# No postponed annotations here: FastAPI reads those of `Require.__call__`.

from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, routing
from fastapi.dependencies.models import Dependant
from starlette.requests import HTTPConnection

from keyhalt.client.middleware import Authenticate, Verifier, permitted
from keyhalt.client.openapi import describe, protect_operation
from keyhalt.client.setting_up import open_paths_of
from keyhalt.core.principals import Principal


class Require:
    """The dependency that `require` makes."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, connection: HTTPConnection) -> Principal:
        return permitted(connection.scope, self.name)


def require(name: str) -> Require:
    """A dependency: the principal, if its owner has the permission `name`; else 403."""
    return Require(name)


def protect(app: FastAPI, verifier: Verifier, *, open_paths: Collection[str] = ()) -> None:
    """Ask for a key everywhere but at `open_paths`, and say so in the app's OpenAPI document.

    At the start of the app CatalogueError is raised for a permission that the verifier has not.
    """
    open_paths = open_paths_of(open_paths)
    app.add_middleware(Authenticate, verifier=verifier, open_paths=open_paths)
    starts = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(started: FastAPI) -> AsyncIterator[Any]:
        # By now the routes are there.
        for _, dependant in _dependants(app):
            for name in _permissions(dependant):
                verifier.need(name)
        async with starts(started) as state:
            yield state

    app.router.lifespan_context = lifespan
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            describe(document)
            for path, operation, permissions in _operations(app, document):
                if path not in open_paths:
                    protect_operation(operation, permissions)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's guide does


def _operations(
    app: FastAPI, document: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
    described = document.get("paths", {})
    for route, dependant in _dependants(app):
        for method in getattr(route, "methods", ()) or ():
            operation = described.get(route.path_format, {}).get(method.lower())
            if operation is not None:
                yield route.path_format, operation, list(_permissions(dependant))


def _dependants(app: FastAPI) -> Iterator[tuple[Any, Dependant]]:
    # Newer versions keep included routers apart, and say which routes they come to.
    every = getattr(routing, "iter_route_contexts", iter)
    routes: Iterable[Any] = every(app.routes)
    for route in routes:
        dependant = getattr(route, "dependant", None)
        if dependant is not None:
            yield route, dependant


def _permissions(dependant: Dependant) -> Iterator[str]:
    for each in dependant.dependencies:
        if isinstance(each.call, Require):
            yield each.call.name
        yield from _permissions(each)
