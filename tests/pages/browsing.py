"""A browser as far as the pages need one: forms with the headers that browsers send."""

from __future__ import annotations

import html
import re
from typing import Any

from starlette.testclient import TestClient

from tests.world import PASSWORD

OURS = {"sec-fetch-site": "same-origin"}


def send(http: TestClient, path: str, headers: dict[str, str] | None = None, **form: str) -> Any:
    """Send a form of the page itself; redirects are left to the test."""
    said = OURS if headers is None else headers
    return http.post(path, data=form, headers=said, follow_redirects=False)


def sign_in(http: TestClient, code: str, password: str = PASSWORD, **more: str) -> Any:
    return send(http, "/sign-in", datasource="acme", user_code=code, password=password, **more)


def create(http: TestClient, name: str, description: str = "") -> Any:
    return send(http, "/keys/new", name=name, description=description)


def value_in(page: str) -> str:
    """The key that a page shows."""
    found = re.search(r'id="plain"[^>]*>([^<]+)<', page)
    assert found, page
    return html.unescape(found[1])


def save_role(http: TestClient, path: str, **form: str) -> Any:
    """Send the form of a role, and then the one that shows the difference."""
    seen = send(http, path, **form)
    hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', seen.text)
    return send(http, path, **dict(hidden)) if hidden else seen
