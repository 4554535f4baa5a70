"""What an app behind the keys has wrong is found when it opens, each thing by its name."""

from __future__ import annotations

import re
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from keyhalt.core.permissions import Need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyhalt.client.operations import App

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ROOT = "/api/"
ASKED = ("operations", "contains", "describe", "close")
_PARAMETER = re.compile(r"\{\w+\}")


class AppError(ValueError):
    """An app cannot be put behind the keys; the text names what of it is wrong."""


def check_app(app: App, name: str) -> None:
    """Raises AppError for the first method, operation, path or need that cannot be served."""
    for asked in ASKED:
        if not callable(getattr(app, asked, None)):
            raise AppError(f"the app {name!r} has no method {asked!r}")
    seen: dict[tuple[str, str], str] = {}
    for operation in app.operations():
        for wrong in _wrong(operation):
            raise AppError(f"the app {name!r}, operation {operation.name}: {wrong}")
        for path in (operation.path, *operation.also):
            served = (operation.method, _PARAMETER.sub("{}", path).lower())
            other = seen.setdefault(served, operation.name)
            if other != operation.name:
                raise AppError(
                    f"the app {name!r}: {other} and {operation.name} are both"
                    f" {operation.method} {path}"
                )


def _wrong(operation: Any) -> Iterator[str]:  # noqa: ANN401 - what is not as typed is looked for
    if operation.method not in METHODS:
        yield f"its method {operation.method!r} is none of {', '.join(METHODS)}"
    for path in (operation.path, *operation.also):
        if not path.startswith(ROOT):
            yield f"its path {path!r} does not begin with {ROOT}, where operations are served"
        if path.endswith("/"):
            yield f"its path {path!r} ends with /"
        if set("{}:") & set(_PARAMETER.sub("", path)):
            yield f"a parameter of its path {path!r} is not {{name}}, which is a whole number"
    for need in (operation.need, operation.instead):
        if need is not None and not isinstance(need, Need):
            yield f"{need!r} is no Need; make one with context.catalogue.need('orders', 'view')"
    if not callable(operation.handler):
        yield f"its handler {operation.handler!r} cannot be called"
    if iscoroutinefunction(operation.handler):
        yield "its handler is async; a handler is a plain function, which runs in a thread"
