"""Another key with just what one used: in one step, by nobody beyond their own rights."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from keyhalt.core.audit import Event
from keyhalt.core.permissions import PermissionSet
from keyhalt.core.refusals import Fault, Refused
from keyhalt.storage.uses import Used, add_uses
from keyhalt.usecases.advise import Advised
from keyhalt.usecases.narrow import Narrowed, Narrowing, Wish
from keyhalt.usecases.uses import LastUse
from tests.world import OPERATOR, ORIGIN, World

NARROW = "/api/keyhalt/v1/keys/{}/narrowing"
MANY = ("orders.*", "projects.*", "settings.view")
BOSS = ("*",)


@pytest.fixture
def http(world: World) -> Iterator[TestClient]:
    with world.client() as client:
        yield client


def used(world: World, key_id: int, *names: str, days_ago: int = 1) -> None:
    catalogue = world.engine.profile.catalogue
    bits = PermissionSet(0)
    for name in names:
        bits = PermissionSet(bits | catalogue.grants(name))
    at = world.engine.clock.now() - timedelta(days=days_ago)
    callers = {("203.0.113.0/24", "importer"): bits}
    last = LastUse(at, "203.0.113.0/24", "importer", "")
    row = Used(world.datasource_id, key_id, at, last, {"allowed": 1}, bits, callers)
    add_uses(world.engine.stores.use, [row])


def advice(world: World, kind: str) -> list[Advised]:
    return [a for a in world.engine.advise(world.datasource_id) if a.advice.kind == kind]


def test_the_new_key_may_do_just_what_the_old_one_did(world: World, http: TestClient) -> None:
    """The dry run says so before; the owner's role, the owner and the old key stay as they are."""
    owner = world.user("owner", *MANY, top=2)
    old, old_text = world.key(owner, "importer")
    boss = {"ECI-ApiKey": world.key(world.user("boss", *BOSS))[1]}
    used(world, old, "orders.view")
    used(world, old, "orders.create", days_ago=200)
    plan = http.get(NARROW.format(old), headers=boss).json()
    assert plan["permissions"] == ["orders.view"]
    (missing,) = plan["wouldHaveRefused"]
    assert (missing["permission"], missing["weeks"]) == ("orders.create", 1)
    assert missing["by"] == ["importer from 203.0.113.0/24"]
    assert plan["givesRights"] is False
    before = world.engine.look_up.users(world.datasource_id)
    made = http.post(NARROW.format(old), headers=boss, json={}).json()
    assert made["inPlaceOf"] == old
    new = {"ECI-ApiKey": made["apiKey"]}
    assert http.get("/api/v3/order", headers=new).json() == [{"orderId": 10}, {"orderId": 12}]
    order = {"title": "t", "count": 1}
    assert http.post("/api/v3/order", headers=new, json=order).status_code == 403
    assert http.post("/api/v3/order", headers={"ECI-ApiKey": old_text}, json=order).is_success
    assert world.engine.look_up.users(world.datasource_id)[: len(before)] == before
    service = world.engine.look_up.user(world.datasource_id, f"key-{old}")
    assert service is not None
    assert (service.service, service.topmosts) == (True, owner.topmosts)


def test_a_use_of_what_the_catalogue_has_no_more_is_told_as_such(world: World) -> None:
    """A permission may go from a profile; that it was used stays known."""
    old, _ = world.key(world.user("owner", *MANY))
    used(world, old, "orders.view")
    at, gone = world.engine.clock.now(), PermissionSet(1 << 200)
    last = LastUse(at, "", "", "")
    row = Used(world.datasource_id, old, at, last, {"allowed": 1}, gone)
    add_uses(world.engine.stores.use, [row])
    plan = world.engine.narrow.plan(world.datasource_id, old, Wish())
    assert isinstance(plan, Narrowing)
    assert [each.permission for each in plan.missing] == [
        "a permission that this version does not know"
    ]


def test_the_old_key_is_watched_from_then_on(world: World) -> None:
    """Used since, or not yet for long enough: it is said; nothing more is said of its rights."""
    owner = world.user("owner", "*")
    old, _ = world.key(owner, "importer")
    used(world, old, "orders.view")
    wish = {"datasource_id": world.datasource_id, "key_id": old, "wish": Wish(), "origin": ORIGIN}
    made = world.engine.narrow.make(OPERATOR, **wish)  # type: ignore[arg-type]
    assert isinstance(made, Narrowed)
    (watched,) = advice(world, "replaced_key")
    assert watched.advice.key_id == old
    assert watched.advice.evidence["newKeyId"] == made.issued.row.id
    assert watched.advice.says.endswith("it was not used since then.")
    used(world, old, "orders.view", days_ago=0)
    (watched,) = advice(world, "replaced_key")
    assert watched.advice.says.endswith("it was used since then.")
    events = [(e.event, e.object_id) for e in world.events()]
    assert (Event.KEY_CREATE, made.issued.row.id) in events
    assert {Event.ROLE_CREATE, Event.USER_CREATE} <= {event for event, _ in events[-4:]}
    again = world.engine.narrow.make(OPERATOR, **wish)  # type: ignore[arg-type]
    assert isinstance(again, Refused)
    assert again.fault is Fault.CONFLICT


@pytest.mark.parametrize(
    ("grants", "top"),
    [
        (("settings.manage", "settings.view"), 1),
        (("settings.manage", "settings.view", "orders.view"), 3),
        (("orders.view",), 1),
        (("projects.*", "settings.view"), 1),
    ],
    ids=["not the permission", "not the topmost", "not keys", "not managing"],
)
def test_nobody_narrows_a_key_beyond_their_own_rights(
    world: World, http: TestClient, grants: tuple[str, ...], top: int
) -> None:
    """Of what the service account would get, something is missing: nothing at all is made."""
    old, _ = world.key(world.user("owner", *MANY), "importer")
    used(world, old, "orders.view")
    _, text = world.key(world.user("clerk", *grants, top=top))
    before = world.dump()
    answer = http.post(NARROW.format(old), headers={"ECI-ApiKey": text}, json={})
    assert answer.status_code == 403
    world.engine.recorder.flush()
    after = world.dump()
    assert "key-" not in after
    assert before.count("ApiKey") == after.count("ApiKey")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"permissions": ["reports.view"]}, "reports.view"),
        ({"permissions": []}, "at least one"),
        ({"permissions": ["settings.manage"]}, "has not 'settings.manage'"),
        ({"userCode": "owner"}, "such a service account"),
        ({"userCode": "x" * 80}, "userCode"),
        ({"days": 0}, "days"),
        ({}, "used no permission"),
    ],
    ids=str,
)
def test_what_cannot_be_made_is_said(
    world: World, http: TestClient, body: dict[str, object], says: str
) -> None:
    """In the words of who asks; and nothing is made by half."""
    old, _ = world.key(world.user("owner", *MANY), "importer")
    boss = {"ECI-ApiKey": world.key(world.user("boss", *BOSS))[1]}
    if body:
        used(world, old, "orders.view")
    roles = world.engine.look_up.roles(world.datasource_id)
    answer = http.post(NARROW.format(old), headers=boss, json=body)
    assert answer.status_code in (400, 409)
    assert says in answer.text
    assert world.engine.look_up.roles(world.datasource_id) == roles
    assert http.post(NARROW.format(999), headers=boss, json={}).status_code == 404
