"""Asking over the wire, and what every denial must say."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

from tests.world import PASSWORD, World

KEY_CHALLENGES = ['ApiKey realm="Lab"', 'Bearer realm="Lab"']
TOKEN_CHALLENGES = ['ApiKey realm="Lab"', 'Bearer realm="Lab", error="invalid_token"']


def get(http: TestClient, path: str = "/api/v3/order", **headers: str) -> Any:
    return http.get(path, headers={name.replace("_", "-"): v for name, v in headers.items()})


def sign_in(http: TestClient, code: str, password: str = PASSWORD, **more: str) -> Any:
    body = {"dataSource": "acme", "username": code, "password": password, **more}
    return http.post("/api/v3/login", json=body)


def assert_denied(
    answer: Any,
    world: World,
    status: int,
    code: str,
    exact: str,
    challenges: list[str] | None = None,
) -> dict[str, Any]:
    """Status, challenge, problem document and audit row all say the same."""
    body = answer.json()
    assert answer.status_code == status, body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers.get_list("www-authenticate") == (challenges or [])
    assert body["code"] == code
    assert body["status"] == status
    assert body["type"] == f"urn:keyhalt:problem:{code}"
    assert body["message"] == body["detail"]
    assert body["title"]
    assert body["requestId"] == answer.headers["x-request-id"]
    rows = [e for e in world.denials() if e.origin.request_id == body["requestId"]]
    assert [row.reason for row in rows] == [exact]
    assert rows[0].details["answered"] == code
    return body
