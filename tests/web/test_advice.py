"""Advice over the API and by command: the keys that should be looked at, exactly these."""

from __future__ import annotations

from datetime import date, timedelta

from starlette.testclient import TestClient

from keyhalt.core.permissions import NOTHING
from keyhalt.storage.uses import Used, add_uses
from keyhalt.usecases.uses import LastUse
from tests.storage.test_use import statements
from tests.world import World

ADVICE = "/api/keyhalt/v1/advice"


def used(world: World, key_id: int, days_ago: int, *, last: bool = True) -> date:
    """Write that it was used once, so many days ago. Returns that day."""
    at = world.engine.clock.now() - timedelta(days=days_ago)
    use = LastUse(at, "", "", "") if last else None
    row = Used(world.datasource_id, key_id, at, use, {"allowed": 1}, NOTHING)
    add_uses(world.engine.stores.use, [row])
    return at.date()


def test_each_kind_is_found_with_its_evidence(world: World, http: TestClient) -> None:
    """One dead, one whose owner is inactive, one in use; deleted ones are nobody's business."""
    busy = world.key(world.user("admin", "settings.view"), "busy")
    dead = world.key(world.user("jsmith", "orders.view"), "dead")
    resting = world.key(world.user("gone", "orders.view"), "resting")
    world.deactivate("gone")
    began = used(world, busy[0], 200, last=False)
    used(world, dead[0], 120)
    used(world, resting[0], 3)
    headers = {"ECI-ApiKey": busy[1]}
    page = http.get(ADVICE, headers=headers).json()
    found = {(row["kind"], row["keyId"]): row for row in page["advice"]}
    assert set(found) == {("unused", dead[0]), ("owner_about_to_matter", resting[0])}
    unused = found["unused", dead[0]]
    assert (unused["owner"], unused["says"]) == ("jsmith", "Not used for 120 days.")
    assert unused["evidence"]["days"] == 120
    assert "jsmith" in unused["nextStep"]
    assert page["countedSince"] == began.isoformat()
    later = http.get(f"{ADVICE}?days=150", headers=headers).json()
    assert {row["kind"] for row in later["advice"]} == {"owner_about_to_matter"}
    assert http.get(f"{ADVICE}?days=0", headers=headers).status_code == 400


def test_advice_is_for_who_may_see_keys(world: World, http: TestClient) -> None:
    """It tells what keys do."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    assert http.get(ADVICE, headers={"ECI-ApiKey": key}).status_code == 403


def test_ten_keys_cost_as_many_statements_as_one(world: World) -> None:
    """In both stores."""
    counts = []
    for keys in (1, 10):
        for number in range(keys):
            used(world, world.key(world.user(f"user{keys}x{number}", "orders.view"))[0], 1)
        stores = world.engine.stores
        with statements(stores.rights) as rights, statements(stores.use) as use:
            world.engine.advise(world.datasource_id)
        counts.append(len(rights) + len(use))
    assert counts[0] == counts[1]
