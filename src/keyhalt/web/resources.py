"""From rows of operations to routes. The permission of a row is checked where it is routed."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.routing import Route, Router

from keyhalt.client.credentials import origin_of
from keyhalt.client.middleware import USED, principal_in
from keyhalt.client.observed import ROUTE
from keyhalt.client.operations import Call, Operation, Reply
from keyhalt.core.decisions import Denied, Reason, permit, taken
from keyhalt.core.keytext import ID_MAX
from keyhalt.core.refusals import Refused
from keyhalt.usecases.ports import StoreUnavailableError
from keyhalt.web.answers import Answers, method_not_allowed
from keyhalt.web.bodies import parse_body, parse_query, read_body

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keyhalt.client.middleware import ASGIApp, Receive, Scope, Send
    from keyhalt.web.lane import Lane

_PARAMETER = re.compile(r"\{(\w+)\}")


def fold_path(path: str) -> str:
    """A-Z to a-z and no more: other letters stay, so that they match nothing."""
    return path.translate(_FOLD)


_FOLD = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def router_of(operations: Iterable[Operation], answers: Answers, lane: Lane) -> ASGIApp:
    """One route per path, with every method it has; anything else is not found.

    Paths in scope are folded already. Two rows with the same method and path are a bug.
    """
    by_path: dict[str, dict[str, tuple[Operation, str]]] = {}
    for operation in operations:
        for path in (operation.path, *operation.also):
            methods = by_path.setdefault(_route_path(path), {})
            if operation.method in methods:
                raise ValueError(f"two operations for {operation.method} {path}")
            methods[operation.method] = (operation, path)

    async def not_found(scope: Scope, _receive: Receive, send: Send) -> None:
        await answers.send(scope, send, _as_of(scope, Denied(Reason.NOT_FOUND)))

    # Fixed segments before parameters, so that /bill/void is not read as a bill's id.
    routes = [
        Route(path, Resource(methods, answers, lane))
        for path, methods in sorted(by_path.items(), key=lambda item: item[0].count("{"))
    ]
    return Router(routes, redirect_slashes=False, default=not_found)


def _route_path(path: str) -> str:
    """Fixed parts folded, parameters as Starlette writes whole numbers."""
    pieces = _PARAMETER.split(path)
    return "".join(
        f"{{{piece}:int}}" if index % 2 else fold_path(piece) for index, piece in enumerate(pieces)
    )


class Resource:
    """Everything that one path can do. An ASGI app, so that Starlette hands it over as it is."""

    def __init__(
        self, methods: dict[str, tuple[Operation, str]], answers: Answers, lane: Lane
    ) -> None:
        self._methods = methods
        self._answers = answers
        self._lane = lane

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        found = self._methods.get(method)
        if found is None:
            refused, allow = method_not_allowed(sorted(self._methods))
            await self._answers.send(scope, send, refused, allow)
            return
        operation, path = found
        scope[ROUTE] = path
        principal = principal_in(scope)
        denied = permit(principal, operation.need, operation.instead)
        if denied is not None:
            await self._answers.send(scope, send, denied)
            return
        scope[USED] = taken(principal, operation.need, operation.instead)
        call = await _call(operation, scope, receive)
        if not isinstance(call, Call):
            await self._answers.send(scope, send, call)
            return
        try:
            outcome: object
            if operation.hashes:
                outcome = await self._lane.run(call.origin.source, operation.handler, call)
            else:
                outcome = await run_in_threadpool(operation.handler, call)
        except StoreUnavailableError:
            outcome = Denied(Reason.UNAVAILABLE, retry_after_seconds=1)
        if not isinstance(outcome, Reply | Denied | Refused):
            kind = type(outcome).__name__
            raise TypeError(f"{operation.name} returned a {kind}, not Reply, Denied or Refused")
        outcome = _as_of(scope, outcome)
        replaced_by = operation.deprecated_paths.get(path)
        more = ((b"eci-deprecated", replaced_by.encode()),) if replaced_by else ()
        await self._answers.send(scope, send, outcome, more)


def _as_of(scope: Scope, outcome: Reply | Denied | Refused) -> Reply | Denied | Refused:
    """Name the caller in a denial that came without, for the audit log."""
    if not isinstance(outcome, Denied) or outcome.user_code:
        return outcome
    principal = principal_in(scope)
    return replace(
        outcome,
        user_id=principal.user_id,
        user_code=principal.user_code,
        datasource_id=principal.datasource_id,
        credential=principal.credential,
    )


async def _call(operation: Operation, scope: Scope, receive: Receive) -> Call | Denied | Refused:
    ids: dict[str, int] = scope["path_params"]
    if any(number > ID_MAX for number in ids.values()):
        return Denied(Reason.NOT_FOUND)
    query = parse_query(scope.get("query_string", b""))
    if isinstance(query, Refused):
        return query
    body = None
    if operation.body is not None:
        data = await read_body(scope, receive)
        body = data if isinstance(data, Refused) else parse_body(data, operation.body)
        if isinstance(body, Refused):
            return body
    return Call(principal_in(scope), ids, query, body, origin_of(scope))
