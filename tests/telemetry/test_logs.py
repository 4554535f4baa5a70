"""Logs as lines of JSON: each line one object, found by its request id."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from keyhalt.telemetry.logs import JsonFormatter
from tests.world import World

DOCUMENT = Path(__file__).parents[2] / "docs" / "watching.md"
KEY = "ZWNhcHxEZW1v.YWNtZXwxfDE=.EPL/CpUAdwM5FQMiF7yEWU9wfhR2M/4ppRrIw10/2lLxJFVi"


@pytest.fixture
def written() -> Any:
    """A logger of its own, and the lines that it wrote."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("test.json")
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.removeHandler(handler)


def test_a_request_is_one_line_with_what_was_decided(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Method, path, status, time, request id; who asked, with which key, and why not."""
    user = world.user("jsmith", "orders.view")
    key_id, key = world.key(user)
    with world.client(access_log=True, log_format="json") as http:
        http.get("/api/v3/order/10", headers={"ECI-ApiKey": key, "x-request-id": "a"})
        http.get(f"/api/v3/{key}?api_key={key}", headers={"ECI-ApiKey": "x" * 40})
        http.get("/api/v3/order/fail", headers={"ECI-ApiKey": key, "x-request-id": "b"})
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    allowed, denied, bug, failed = (line for line in lines if line["logger"] != "root")
    assert isinstance(allowed.pop("duration_ms"), float)
    assert allowed.pop("message").startswith("GET /api/v3/order/10 200")
    assert allowed.pop("ts").endswith("Z")
    assert allowed == {
        "level": "info", "logger": "keyhalt.access", "method": "GET", "path": "/api/v3/order/10",
        "status": 200, "request_id": "a", "route": "/api/v3/order/{orderId}",
        "outcome": "allowed", "user_id": user.user_id, "credential": f"key {key_id}",
    }  # fmt: skip
    assert (denied["status"], denied["outcome"]) == (401, "denied")
    assert denied["reason"] == "foreign_text"
    assert (bug["request_id"], bug["level"]) == ("b", "error")
    assert "RuntimeError" in bug["exception"]
    assert (failed["request_id"], failed["status"]) == ("b", 500)
    assert key not in json.dumps(lines)
    described = DOCUMENT.read_text("utf-8").partition("## Logs")[2]
    assert [name for line in lines for name in line if f"`{name}`" not in described] == []


def test_whatever_is_logged_is_one_object_and_no_secret(written: Any) -> None:
    """Line ends, control characters and a traceback with a key in it."""
    logger, lines = written
    logger.warning("a\nb\x00\u2028 %s", KEY, extra={"keyhalt": {"path": f"x {KEY}\n", "status": 1}})
    try:
        int(KEY)
    except ValueError:
        logger.exception("password=hunter2hunter2")
    first, second = lines()
    assert first["message"] == "a\nb\x00\u2028 [redacted]"
    assert (first["path"], first["status"]) == ("x [redacted]\n", 1)
    assert KEY not in second["exception"]
    assert second["message"] == "[redacted]"
