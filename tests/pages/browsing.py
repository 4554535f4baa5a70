"""A browser as far as the pages need one: forms with the headers that browsers send."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

from sqlalchemy import update
from starlette.testclient import TestClient

from keyhalt.core.permissions import NOTHING, PermissionSet
from keyhalt.storage.schema import api_key
from keyhalt.storage.uses import Used, add_uses
from keyhalt.usecases.uses import LastUse
from tests.world import PASSWORD, World

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


def used(world: World, key_id: int, days_ago: float, *names: str) -> None:
    """One request that was allowed, by these permissions."""
    bits = NOTHING
    for name in names:
        bits = PermissionSet(bits | world.engine.profile.catalogue.grants(name))
    at = world.engine.clock.now() - timedelta(days=days_ago)
    last = LastUse(at, "203.0.113.0/24", "importer", "GET /api/v3/order")
    callers = {("203.0.113.0/24", "importer"): bits}
    row = Used(world.datasource_id, key_id, at, last, {"allowed": 1}, bits, callers)
    add_uses(world.engine.stores.use, [row])


def age(world: World, key_id: int, days: int) -> None:
    """The key was made so long ago."""
    at = world.engine.clock.now() - timedelta(days=days)
    with world.engine.stores.rights.begin() as connection:
        connection.execute(update(api_key).where(api_key.c.id == key_id).values(created_at=at))
