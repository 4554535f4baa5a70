"""Activity: what happened, filtered; and why a request was refused, by its id."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from tests.pages.browsing import create, send, sign_in
from tests.world import World


@pytest.fixture
def boss(world: World, http: TestClient) -> TestClient:
    """Somebody who may read the log, signed in."""
    world.user("boss", "*")
    assert sign_in(http, "boss").status_code == 303
    return http


def why(boss: TestClient, world: World, answer: object) -> str:
    """What the page says of the request with the id that the problem names."""
    request_id = answer.json()["requestId"]  # type: ignore[attr-defined]
    world.engine.recorder.flush()
    page: str = boss.get("/activity", params={"request": request_id}).text
    return page


def test_a_refusal_is_explained_by_its_request_id_with_the_fix(
    boss: TestClient, world: World
) -> None:
    """A 403 names the permission, a 401 the exact cause that the client was not told."""
    clerk = world.user("clerk", "orders.view")
    _, key = world.key(clerk)
    headers = {"ECI-ApiKey": key}
    forbidden = boss.post("/api/v3/order", headers=headers, json={"title": "x"})
    assert forbidden.status_code == 403
    page = why(boss, world, forbidden)
    assert "The owner lacks the permission" in page
    assert "orders.create" in page
    assert "Change what the owner&#39;s role grants" in page
    assert "/users?q=clerk" in page
    world.deactivate("clerk")
    resting = boss.get("/api/v3/me", headers=headers)
    assert resting.status_code == 401
    assert "deactivated" not in resting.text
    page = why(boss, world, resting)
    assert "The owner has been deactivated" in page
    assert "Activate the owner" in page


def test_a_deleted_key_is_named_as_such(boss: TestClient, world: World) -> None:
    """With what to do instead."""
    clerk = world.user("clerk", "orders.view")
    number, key = world.key(clerk, "old import")
    send(boss, f"/keys/{number}/delete", name="old import")
    page = why(boss, world, boss.get("/api/v3/me", headers={"ECI-ApiKey": key}))
    assert "Its key was deleted." in page
    assert "Create a key, and use that." in page


def test_an_id_that_is_not_there_is_answered_with_where_to_look(boss: TestClient) -> None:
    """And what happened in no datasource, or in another one, is not told."""
    nobodys = boss.get("/api/v3/me", headers={"ECI-ApiKey": "nonsense"}).json()["requestId"]
    for request in (nobodys, "no-such-id", "x' or 1=1 --", "<b>"):
        page = boss.get("/activity", params={"request": request}).text
        assert "Nothing here has this request id" in page
        assert "<b>" not in page


def test_what_was_done_is_filtered_by_who_what_and_when(boss: TestClient, world: World) -> None:
    """Each filter stands in the address; nonsense in it is left out and breaks nothing."""
    made = create(boss, "nightly").headers["location"]
    number = made.split("/")[2]
    clerk = world.user("clerk", "orders.view")
    world.engine.recorder.flush()

    def events(**query: str) -> set[str]:
        page = boss.get("/activity", params=query)
        assert page.status_code == 200
        return set(re.findall(r'data-label="Event"><code>([\w.]+)<', page.text))

    assert events(key=number) == {"key.create"}
    assert events(key=f"#{number}") == {"key.create"}
    assert events(event="user.create") == {"user.create"}
    assert {"key.create", "sign_in.done"} <= events(user="boss")
    assert "user.create" not in events(user="boss")
    assert events(user="nobody at all") == set()
    assert events(outcome="denied") == set()
    assert events(since="2099-01-01") == set()
    assert events(until="2001-01-01") == set()
    today = world.engine.clock.now().date().isoformat()
    assert "key.create" in events(since=today, until=today)
    assert events(before="0001-01-01T00:00:00+14:00_r1") == set()
    nonsense = {"since": "x", "until": "9999-12-31", "event": "x", "outcome": "x", "before": "x_r1"}
    assert "key.create" in events(**nonsense, key="zz")
    assert clerk.user_code not in boss.get("/activity?event=key.create").text


def test_the_log_goes_back_page_by_page_and_reading_it_stands_in_it(
    boss: TestClient, world: World
) -> None:
    """Every event once, in their order."""
    clerk = world.user("clerk", "orders.view")
    for number in range(60):
        world.key(clerk, f"key {number}")
    first = boss.get("/activity?event=key.create").text
    more = re.search(r'rel="next" href="([^"]+)"', first)
    assert more
    second = boss.get(more[1].replace("&amp;", "&")).text
    found = [*re.findall(r">key (\d+)</a>", first), *re.findall(r">key (\d+)</a>", second)]
    assert found == [str(number) for number in range(60, 0, -1)]
    world.engine.recorder.flush()
    assert "audit.read" in boss.get("/activity?event=audit.read").text


def test_the_log_of_another_datasource_is_not_shown(boss: TestClient, world: World) -> None:
    """Not even by its request ids."""
    from dataclasses import replace

    from tests.world import OPERATOR, ORIGIN

    other = world.engine.set_up.datasource(OPERATOR, "other", ORIGIN)
    them = replace(world, datasource_id=other.id).user("them", "orders.view")
    _, key = world.key(them)
    refused = boss.post("/api/v3/order", headers={"ECI-ApiKey": key}, json={"title": "x"})
    assert "Nothing here has this request id" in why(boss, world, refused)
    assert "them" not in re.findall(r'data-label="Who">(\w+)', boss.get("/activity").text)
