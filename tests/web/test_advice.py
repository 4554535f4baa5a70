"""Advice over the API and by command: the keys that should be looked at, exactly these."""

from __future__ import annotations

from datetime import date, timedelta

from starlette.testclient import TestClient

from keyhalt.core.advice import AdviceKind
from keyhalt.core.permissions import NOTHING
from keyhalt.storage.sign_ins import SqlSignIns
from keyhalt.storage.uses import Used, add_uses
from keyhalt.usecases.advise import Advised, Place
from keyhalt.usecases.uses import LastUse
from tests.pages.browsing import age
from tests.storage.test_use import statements
from tests.web.asking import sign_in
from tests.world import PASSWORD, World

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


def test_what_was_sent_in_clear_and_who_uses_tokens_is_found(
    world: World, http: TestClient
) -> None:
    """A key over plain HTTP and in an address, refused; a bearer token that is in use."""
    key_id, key = world.key(world.user("jsmith", "settings.view"))
    other = world.key(world.user("ada", "orders.view"))[1]
    for text in (key, key, f"{key[:-4]}AAAA"):
        answer = http.get(f"http://testserver{ADVICE}", headers={"ECI-ApiKey": text})
        assert answer.status_code == 400
    assert http.get(ADVICE, params={"key": other}).status_code == 401
    token = sign_in(http, "jsmith").json()["token"]
    for _ in range(2):
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "legacy/2"}
        assert http.get(ADVICE, headers=headers).status_code == 200
    world.engine.use_recorder.flush()
    page = http.get(ADVICE, headers={"ECI-ApiKey": key}).json()
    found = {(row["kind"], row["owner"]): row for row in page["advice"]}
    assert found.keys() == {
        ("travelled_in_clear", "jsmith"),
        ("travelled_in_clear", "ada"),
        ("legacy_token_in_use", "jsmith"),
    }
    exposed = found["travelled_in_clear", "jsmith"]
    assert (exposed["keyId"], exposed["evidence"]["times"]) == (key_id, 2)
    assert found["travelled_in_clear", "ada"]["evidence"]["place"] == "url"
    tokens = found["legacy_token_in_use", "jsmith"]
    assert tokens["keyId"] is None
    assert (tokens["evidence"]["requests"], tokens["evidence"]["agent"]) == (2, "legacy")


def test_the_last_sign_in_is_remembered_when_its_session_is_gone(
    world: World, http: TestClient
) -> None:
    """Of a token and of a session of the pages alike."""
    world.user("jsmith", "orders.view")
    assert sign_in(http, "jsmith").status_code == 200
    reader = SqlSignIns(world.engine.stores.signins)
    (first,) = reader.last(world.datasource_id, None).values()
    assert reader.last(world.datasource_id, [10_000]) == {}
    form = {"datasource": "acme", "user_code": "jsmith", "password": PASSWORD}
    http.post("/sign-in", data=form, headers={"Origin": "https://testserver"})
    (second,) = reader.last(world.datasource_id, None).values()
    assert second > first


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


def test_a_walk_through_the_advice_finds_each_once_however_it_is_cut(
    world: World,
) -> None:
    """Of all kinds and of one; it ends; and no part costs more for a longer list behind it."""
    for number in range(11):
        key_id, _ = world.key(world.user(f"user{number}", "orders.view"))
        age(world, key_id, 400)
        if number % 2:
            world.engine.use_recorder.exposed(key_id, "url", "203.0.113.9")
    token_users = [world.user(f"old{number}", "orders.view") for number in range(3)]
    now = world.engine.clock.now()
    last = LastUse(now, "203.0.113.0/24", "legacy", "GET /api/v3/order")
    add_uses(
        world.engine.stores.use,
        [],
        tokens=[
            Used(world.datasource_id, user.user_id, now, last, {"allowed": 5}, NOTHING)
            for user in token_users
        ],
    )
    world.engine.use_recorder.flush()
    advise = world.engine.advise
    every = advise(world.datasource_id)
    assert {each.advice.kind for each in every} >= {"travelled_in_clear", "legacy_token_in_use"}
    for kind in (None, *AdviceKind):
        for take in (1, 2, 40):
            found: list[Advised] = []
            place: Place | None = Place()
            while place is not None:
                part = advise.part(world.datasource_id, kind, place, take, step=3)
                assert part.go_on != place
                found += part.advised
                place = part.go_on
            assert found == [each for each in every if kind in {None, each.advice.kind}]
