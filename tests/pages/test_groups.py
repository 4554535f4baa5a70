"""Groups on the pages: with the rights of the API, and each change of who is in one alone."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.pages.browsing import send, sign_in
from tests.world import World


def codes(world: World) -> list[str]:
    rows = world.engine.look_up_users.members(world.datasource_id, 1)
    return [row.facts.user_code for row in rows]  # type: ignore[union-attr]


def test_a_group_is_made_filled_emptied_and_deleted(world: World, http: TestClient) -> None:
    """By codes and by ticks; who is not named stays; what is wrong is said and changes nothing."""
    world.user("boss", "*")
    clerk = world.user("clerk", "orders.view")
    world.user("mia", "orders.view")
    sign_in(http, "boss")
    assert "There is no group" in http.get("/groups").text
    assert send(http, "/groups", name="").status_code == 400
    made = send(http, "/groups", name="Auditors", description="Read only")
    assert made.headers["location"] == "/groups/1?said=made"
    wrong = send(http, "/groups/1", name="Auditors", description="", add="clerk, nobody")
    assert (wrong.status_code, codes(world)) == (400, [])
    assert "There is no user &#39;nobody&#39;" in wrong.text
    assert 'value="clerk, nobody"' in wrong.text
    send(http, "/groups/1", name="Auditors", description="x", add="Clerk, mia")
    assert codes(world) == ["clerk", "mia"]
    page = http.get("/groups/1").text
    assert f'name="member-{clerk.user_id}"' in page
    send(http, "/groups/1", name="Readers", description="x", **{f"member-{clerk.user_id}": "on"})
    assert codes(world) == ["mia"]
    assert ">Readers<" in http.get("/groups").text
    assert 'href="/groups/1"' in http.get("/users/3").text
    assert send(http, "/groups/1/delete").headers["location"] == "/groups?said=deleted"
    assert http.get("/groups/1").status_code == 404


@pytest.mark.parametrize(
    ("grants", "sees", "changes"),
    [(("orders.view",), 403, 403), (("settings.view",), 200, 403), (("settings.*",), 200, 303)],
)
def test_groups_are_seen_and_changed_by_who_may_on_the_api(
    world: World, http: TestClient, grants: tuple[str, ...], sees: int, changes: int
) -> None:
    """Looking and changing are two needs, on both."""
    user = world.user("somebody", *grants)
    _, key = world.key(user)
    header = {"ECI-ApiKey": key}
    body = {"userGroupName": "first"}
    on_api = http.post("/api/v3/userGroup", json=body, headers=header).status_code
    assert (on_api == 200) == (changes == 303)
    assert http.get("/api/v3/userGroup", headers=header).status_code == sees
    sign_in(http, "somebody")
    assert http.get("/groups").status_code == sees
    assert send(http, "/groups", name="second").status_code == changes
    if sees == 200:
        assert ("Make group" in http.get("/groups").text) == (changes == 303)
