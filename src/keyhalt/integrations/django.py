"""For Django: a middleware that protects a site, and a decorator for each permission.

MIDDLEWARE = ["keyhalt.integrations.django.KeyhaltMiddleware", ...]
KEYHALT = {"verifier": "mysite.keys.make_verifier", "open_paths": ["/health"]}

@require("orders.view")
def orders(request): return JsonResponse({"by": principal_of(request).user_code})
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.conf import settings
from django.http import HttpResponse
from django.utils.module_loading import import_string

from keyhalt.client.blocking import BlockingVerifier
from keyhalt.client.middleware import NotPermittedError, permitted, principal_in
from keyhalt.client.wsgi import WaitingGate

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

    from keyhalt.client.problems import Problem
    from keyhalt.core.principals import Principal

    View = TypeVar("View", bound=Callable[..., Any])

_HERE = "_keyhalt"


class KeyhaltMiddleware:
    """Whether it came over HTTPS is what Django says (SECURE_PROXY_SSL_HEADER)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        said = settings.KEYHALT
        make = said["verifier"]
        make = import_string(make) if isinstance(make, str) else make
        self._gate = WaitingGate(BlockingVerifier(make), said.get("open_paths", ()))

    def __call__(self, request: HttpRequest) -> HttpResponse:
        entered = self._gate.enter(request.META, over_https=request.is_secure())
        if entered.problem is not None:
            return _response(entered.problem)
        setattr(request, _HERE, entered)
        try:
            return self._get_response(request)
        finally:
            self._gate.leave(entered)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """A missing permission, whoever asked for it."""
        if not isinstance(error, NotPermittedError):
            return None
        return _response(self._gate.deny(error.denied, getattr(request, _HERE).origin))

    def close(self) -> None:
        self._gate.close()


def principal_of(request: HttpRequest) -> Principal:
    """Who this request is. Raises NotProtectedError where no key was asked for."""
    return principal_in(_scope(request))


def check(request: HttpRequest, name: str) -> Principal:
    """The principal, if its owner has the permission `name`; else the answer will be 403."""
    return permitted(_scope(request), name)


def require(name: str) -> Callable[[View], View]:
    """A decorator: the view runs only if the key's owner has the permission `name`."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            check(request, name)
            return view(request, *args, **kwargs)

        return cast("View", checked)

    return decorate


def _scope(request: HttpRequest) -> dict[str, Any]:
    entered = getattr(request, _HERE, None)
    return {} if entered is None else entered.scope


def _response(problem: Problem) -> HttpResponse:
    answer = HttpResponse(problem.body, status=problem.status)
    for name, value in problem.headers:
        key, text = name.decode(), value.decode("latin-1")
        # Django keeps one value a name; a list of challenges is the same thing (RFC 9110 5.3).
        joined = key in answer.headers and key != "content-type"
        answer.headers[key] = f"{answer.headers[key]}, {text}" if joined else text
    return answer
