"""Traces: a span for each request, that says what was decided and nothing that is a secret."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.world import PASSWORD, World

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
_exporter = InMemorySpanExporter()


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """What a provider that the program chose is given; it is chosen once for a process."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(_exporter))
        trace.set_tracer_provider(provider)
    _exporter.clear()
    yield _exporter


def said(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_span_says_what_was_decided(world: World, spans: InMemorySpanExporter) -> None:
    """Named by the operation, under the caller's trace; ids and reasons as in the audit log."""
    key_id, key = world.key(world.user("jsmith", "orders.view"))
    with world.client(traces=True) as http:
        http.get("/api/v3/order/10", headers={"ECI-ApiKey": key, "traceparent": CALLER})
        no = http.post("/api/v3/order", json={"title": "x"}, headers={"ECI-ApiKey": key})
        http.get("/api/v3/order/fail", headers={"ECI-ApiKey": key})
    allowed, denied, failed = spans.get_finished_spans()
    assert allowed.name == "GET /api/v3/order/{orderId}"
    assert format(allowed.context.trace_id, "032x") == CALLER.split("-")[1]
    assert said(allowed)["keyhalt.credential"] == f"key {key_id}"
    assert said(allowed)["keyhalt.outcome"] == "allowed"
    assert said(denied)["keyhalt.reason"] == "permission_denied"
    assert said(denied)["keyhalt.request_id"] == no.json()["requestId"]
    assert said(denied)["http.response.status_code"] == 403
    assert said(failed)["http.response.status_code"] == 500
    assert not failed.status.is_ok


def test_no_secret_is_in_a_span(world: World, spans: InMemorySpanExporter) -> None:
    """Not of a header, a query, a path or a body, whatever is made of it."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    with world.client(traces=True, internal_port=8081) as http:
        body = {"dataSource": "acme", "username": "jsmith", "password": PASSWORD}
        token = http.post("/api/v3/login", json=body).json()["token"]
        for headers in ({"ECI-ApiKey": key}, {"Authorization": f"Bearer {token}"}, {}):
            for path in (f"/api/v3/order?api_key={key}", f"/{key}", f"/api/v3/{token}"):
                http.get(path, headers=headers)
        http.request("BREW", f"/api/v3/order?token={token}", headers={"ECI-ApiKey": key})
    told = "".join(span.to_json() for span in spans.get_finished_spans())
    assert told.count('"name"') >= 11
    for secret in (key, token, PASSWORD):
        assert secret not in told
        assert secret.rpartition(".")[2] not in told


def test_nothing_is_imported_where_nobody_traces(tmp_path: Path) -> None:
    """Neither the interface of traces nor the metrics' library, until they are wanted."""
    code = (
        "import pathlib, sys\n"
        "from tests.world import make_world\n"
        f"world = make_world(pathlib.Path({str(tmp_path)!r}))\n"
        "with world.client() as http: assert http.get('/api/v3/order').status_code == 401\n"
        "world.close()\n"
        "print(sorted({'opentelemetry', 'prometheus_client'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "[]", done.stderr
