"""Traces: a span for each request (docs/watching.md). Needs the extra `otel`.

Only the interface is used, so whoever runs the program chooses where spans go. What a span says is
what a log may say: no header, no query, no text of a key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import propagate, trace
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import SpanKind, Status, StatusCode

from keyhalt.client.credentials import shown_path
from keyhalt.client.observed import TRACE_ID, observed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.trace import Span

    from keyhalt.client.middleware import ASGIApp, Message, Receive, Scope, Send

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER = "HTTP"
_FAILED = 500
# By OpenTelemetry's conventions where they have a name.
_NAMES = {
    "route": "http.route",
    "request_id": "keyhalt.request_id",
    "outcome": "keyhalt.outcome",
    "reason": "keyhalt.reason",
    "user_id": "keyhalt.user.id",
    "credential": "keyhalt.credential",
}


class Traced:
    """`Traced(app)`, around `Authenticate` or any other ASGI app; a span is a request's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._tracer = trace.get_tracer("keyhalt")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else _OTHER
        begun = {
            "http.request.method": "_OTHER" if method is _OTHER else method,
            "url.scheme": scope.get("scheme", "http"),
            "url.path": shown_path(scope["path"]),
        }
        caller = propagate.extract(scope["headers"], getter=_HEADERS)
        with self._tracer.start_as_current_span(
            method, context=caller, kind=SpanKind.SERVER, attributes=begun
        ) as span:
            context = span.get_span_context()
            if context.is_valid:
                scope[TRACE_ID] = trace.format_trace_id(context.trace_id)

            async def watching(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _tell(span, method, message["status"], scope)
                await send(message)

            await self._app(scope, receive, watching)


def _tell(span: Span, method: str, status: int, scope: Scope) -> None:
    """Once it is answered: by then all is known."""
    if not span.is_recording():
        return
    said = observed(scope)
    span.update_name(f"{method} {said['route']}" if "route" in said else method)
    span.set_attribute("http.response.status_code", status)
    for name, attribute in _NAMES.items():
        value = said.get(name)
        if isinstance(value, int | str):
            span.set_attribute(attribute, value)
    if status >= _FAILED:
        span.set_status(Status(StatusCode.ERROR))


class _Headers(Getter["Sequence[tuple[bytes, bytes]]"]):
    def get(self, carrier: Sequence[tuple[bytes, bytes]], key: str) -> list[str] | None:
        wanted = key.lower().encode("latin-1")
        return [value.decode("latin-1") for name, value in carrier if name == wanted] or None

    def keys(self, carrier: Sequence[tuple[bytes, bytes]]) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier]


_HEADERS = _Headers()
