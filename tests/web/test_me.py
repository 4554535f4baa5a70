"""`/api/v3/me`: what a user says of themselves, and that no right comes of it."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.world import World


@pytest.fixture
def key(world: World) -> dict[str, str]:
    return {"ECI-ApiKey": world.key(world.user("jsmith", "orders.view"))[1]}


def put(http: TestClient, key: dict[str, str], **body: Any) -> Any:
    return http.put("/api/v3/me", json=body, headers=key)


def test_a_user_edits_how_they_are_called(
    world: World, http: TestClient, key: dict[str, str]
) -> None:
    """The answer is Me; every process says the new name at once, also from memory."""
    with world.client(world.other()) as other:
        assert other.get("/api/v3/me", headers=key).json()["fullName"] == "Jsmith"
        preference = {"language": "en", "billListRowsPerPage": 50}
        answer = put(http, key, fullName="Jo Smith", email="jo@example.org", preference=preference)
        assert answer.status_code == 200
        for me in (answer.json(), other.get("/api/v3/me", headers=key).json()):
            assert (me["fullName"], me["email"]) == ("Jo Smith", "jo@example.org")
            assert me["preference"] == preference
    row = next(event for event in world.events() if event.event.value == "user.edit")
    assert (row.actor.name, row.details["full_name"]) == ("jsmith", "Jo Smith")


def test_what_is_absent_or_null_stays(http: TestClient, key: dict[str, str]) -> None:
    """The official client leaves out what is null."""
    put(http, key, fullName="Jo Smith", preference={"language": "en"})
    me = put(http, key, fullName=None, email="new@example.org").json()
    assert (me["fullName"], me["email"]) == ("Jo Smith", "new@example.org")
    assert me["preference"] == {"language": "en"}


def test_no_right_changes_by_it(world: World, http: TestClient, key: dict[str, str]) -> None:
    """Whatever else stands in the body is not read."""
    before = world.engine.look_up.user(world.datasource_id, "jsmith")
    more = {"userRoleId": 1, "systemUserCode": "root", "topmostProjectIds": [1], "active": True}
    put(http, key, fullName=before.full_name, permissions={"orders": {"create": True}}, **more)
    assert world.engine.look_up.user(world.datasource_id, "jsmith") == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"fullName": ""}, "fullName"),
        ({"fullName": "x" * 33}, "fullName"),
        ({"fullName": "line\nbreak"}, "fullName"),
        ({"email": "x" * 129}, "email"),
        ({"preference": []}, "preference"),
        ({"preference": {"x": "y" * 20_000}}, "preference"),
    ],
)
def test_what_cannot_be_is_refused(
    http: TestClient, key: dict[str, str], body: dict[str, object], field: str
) -> None:
    answer = put(http, key, **body)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_upgrade_is_200_without_a_body(http: TestClient, key: dict[str, str]) -> None:
    answer = http.post("/api/v3/me/upgrade?upgradesOnly=false", headers=key)
    assert (answer.status_code, answer.content) == (200, b"")
    assert http.post("/api/v3/me/upgrade").status_code == 401
