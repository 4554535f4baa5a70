"""For Starlette, and any ASGI app whose endpoints take a request with a `scope`.

app = Starlette(routes=[Route("/orders", require("orders.view")(orders))],
                middleware=[Middleware(Authenticate, verifier=verifier)])
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar, cast

from keyhalt.client.middleware import permitted

if TYPE_CHECKING:
    from collections.abc import Callable

    Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def require(name: str) -> Callable[[Endpoint], Endpoint]:
    """A decorator: the endpoint runs only if the key's owner has the permission `name`."""

    def decorate(endpoint: Endpoint) -> Endpoint:
        if inspect.iscoroutinefunction(endpoint):

            @functools.wraps(endpoint)
            async def checked(request: Any) -> Any:  # noqa: ANN401 - any request with a scope
                permitted(request.scope, name)
                return await endpoint(request)

            return cast("Endpoint", checked)

        @functools.wraps(endpoint)
        def checked_in_thread(request: Any) -> Any:  # noqa: ANN401
            permitted(request.scope, name)
            return endpoint(request)

        return cast("Endpoint", checked_in_thread)

    return decorate
