"""How an API behind the keys describes itself: the scheme, and what 401 and 403 look like."""

from __future__ import annotations

from typing import Any

from keyhalt.client.credentials import KEY_HEADER_NAME

SCHEME_NAME = "ApiKey"
SCHEME: dict[str, Any] = {
    "type": "apiKey",
    "in": "header",
    "name": KEY_HEADER_NAME,
    "description": "An API key acts as its owner. It does not expire, and ends when it is deleted.",
}
PROBLEM_NAME = "Problem"
PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "requestId"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "For programs."},
        "requestId": {"type": "string", "description": "Finds the exact cause in the audit log."},
        "permission": {"type": "string", "description": "What was missing."},
    },
}


def describe(document: dict[str, Any]) -> None:
    """Add scheme and problem to the components of an OpenAPI document."""
    components = document.setdefault("components", {})
    components.setdefault("securitySchemes", {})[SCHEME_NAME] = SCHEME
    components.setdefault("schemas", {}).setdefault(PROBLEM_NAME, PROBLEM)


def protect_operation(operation: dict[str, Any], permissions: list[str]) -> None:
    """Say of one operation that it asks for a key, and for which permissions."""
    operation.setdefault("security", [{SCHEME_NAME: []}])
    answers = operation.setdefault("responses", {})
    answers.setdefault("401", _answer("No API key, or one that does not count."))
    if permissions:
        needed = " and ".join(permissions)
        answers.setdefault("403", _answer(f"The owner of the key lacks {needed}."))


def _answer(description: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{PROBLEM_NAME}"}
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": schema}},
    }
