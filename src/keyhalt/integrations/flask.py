"""For Flask: an extension that protects an app, and a decorator for each permission.

keys = Keyhalt(open_verifier, open_paths=["/health"])
keys.init_app(app)

@app.get("/orders")
@keys.require("orders.view")
def orders(): return {"by": keys.principal.user_code}
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flask import Flask, Response, g, request

from keyhalt.client.blocking import BlockingVerifier
from keyhalt.client.middleware import NotPermittedError, permitted, principal_in
from keyhalt.client.wsgi import WaitingGate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from keyhalt.client.middleware import Verifier
    from keyhalt.client.problems import Problem
    from keyhalt.core.principals import Principal

    View = TypeVar("View", bound=Callable[..., Any])


class Keyhalt:
    """`make` makes the verifier, once in each process. Every route but `open_paths` is asked."""

    def __init__(self, make: Callable[[], Verifier], *, open_paths: Collection[str] = ()) -> None:
        self._gate = WaitingGate(BlockingVerifier(make), open_paths)

    def init_app(self, app: Flask) -> None:
        app.extensions["keyhalt"] = self
        app.before_request(self._enter)
        app.teardown_request(self._leave)
        app.register_error_handler(NotPermittedError, self._not_permitted)

    @property
    def principal(self) -> Principal:
        """Who this request is. Raises NotProtectedError at an open path."""
        return principal_in(_scope())

    def require(self, name: str) -> Callable[[View], View]:
        """A decorator: the view runs only if the key's owner has the permission `name`."""

        def decorate(view: View) -> View:
            @functools.wraps(view)
            def checked(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any view
                permitted(_scope(), name)
                return view(*args, **kwargs)

            return cast("View", checked)

        return decorate

    def close(self) -> None:
        self._gate.close()

    def _enter(self) -> Response | None:
        g.keyhalt = entered = self._gate.enter(request.environ, over_https=request.is_secure)
        return _response(entered.problem)

    def _leave(self, _error: BaseException | None) -> None:
        entered = g.pop("keyhalt", None)
        if entered is not None:
            self._gate.leave(entered)

    def _not_permitted(self, no: NotPermittedError) -> Response:
        answer = _response(self._gate.deny(no.denied, g.keyhalt.origin))
        assert answer is not None  # noqa: S101 - a denial has a problem
        return answer


def _scope() -> dict[str, Any]:
    scope: dict[str, Any] = g.keyhalt.scope
    return scope


def _response(problem: Problem | None) -> Response | None:
    if problem is None:
        return None
    headers = [(name.decode(), value.decode("latin-1")) for name, value in problem.headers]
    return Response(problem.body, problem.status, headers)
