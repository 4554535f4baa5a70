"""Keys that keys made: one call ends them all, down the tree, and nothing beside it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from keyhalt.usecases.people import UserEdit
from tests.web.asking import KEY_CHALLENGES, assert_denied, get, sign_in
from tests.world import OPERATOR, ORIGIN, World

Key = tuple[int, str]


def make(http: TestClient, key: Key, name: str = "child") -> Key:
    made = http.post(
        "/api/v3/apiKey", json={"apiKeyName": name}, headers={"ECI-ApiKey": key[1]}
    ).json()
    return made["apiKeyId"], made["apiKey"]


def counts(http: TestClient, key: Key) -> bool:
    return bool(get(http, ECI_ApiKey=key[1]).status_code == 200)


def end_tree(http: TestClient, by: Key, key: Key) -> Any:
    address = f"/api/keyhalt/v1/keys/{key[0]}/tree"
    return http.delete(address, headers={"ECI-ApiKey": by[1]})


@pytest.fixture
def root(world: World) -> Key:
    return world.key(world.user("jsmith", "settings.*", "orders.*"), "root")


@pytest.fixture
def judge(world: World) -> Key:
    """A key of somebody else, made by the operator."""
    return world.key(world.user("admin", "settings.*", "orders.*"))


def epoch_of(answer: Any) -> str:
    """Of its receipt. Each wait takes its own time."""
    return str(answer.headers["keyhalt-revocation"]).partition(",")[0]


def test_a_tree_ends_in_one_epoch_and_nothing_beside_it(
    world: World, http: TestClient, root: Key, judge: Key
) -> None:
    """The key, its children and theirs; not its parent, not its siblings; each is in the log."""
    middle, beside = make(http, root), make(http, root)
    leaves = [make(http, middle) for _ in range(3)]
    last = make(http, leaves[0])
    tree = [middle, *leaves, last]
    before = counts(http, last), counts(http, beside)
    answer = end_tree(http, judge, middle)
    assert answer.status_code == 200
    assert answer.json() == {"ended": [key[0] for key in tree]}
    assert before == (True, True)
    assert [counts(http, key) for key in tree] == [False] * 5
    assert [counts(http, key) for key in (root, beside, judge)] == [True] * 3
    rows = [event for event in world.events() if event.event.value == "key.revoke.begin"]
    assert {event.object_id for event in rows} == {key[0] for key in tree}
    (epoch,) = {event.epoch for event in rows}
    assert answer.headers["keyhalt-revocation"].startswith(f"epoch={epoch},")
    assert {event.details["with_offspring_of"] for event in rows} == {middle[0]}


def test_what_a_deleted_key_had_made_still_ends_with_its_tree(
    http: TestClient, root: Key, judge: Key
) -> None:
    """Deleting a key alone leaves its children; the tree is walked through what was deleted."""
    child = make(http, root)
    grandchild = make(http, child)
    for key in (root, child):
        http.delete(f"/api/v3/apiKey/{key[0]}", headers={"ECI-ApiKey": judge[1]})
    assert counts(http, grandchild)
    assert end_tree(http, judge, root).json() == {"ended": [grandchild[0]]}
    assert not counts(http, grandchild)


def test_ending_a_tree_again_promises_the_same_and_changes_nothing(
    world: World, http: TestClient, root: Key, judge: Key
) -> None:
    """The epoch of the first time, and no verifier has to look again."""
    make(http, root)
    first = end_tree(http, judge, root)
    again = end_tree(http, judge, root)
    assert again.json() == {"ended": []}
    assert epoch_of(again) == epoch_of(first)
    assert len([e for e in world.events() if e.event.value == "key.revoke.begin"]) == 2


def test_a_key_that_ends_its_own_tree_is_gone_too(http: TestClient, root: Key) -> None:
    child = make(http, root)
    assert end_tree(http, root, root).json() == {"ended": [root[0], child[0]]}
    assert not counts(http, root)


def test_the_tree_says_what_made_what(world: World, http: TestClient, root: Key) -> None:
    """By id, deleted ones too, never a value; a sign-in that made a key is no key."""
    child = make(http, root)
    grandchild = make(http, child)
    http.delete(f"/api/v3/apiKey/{grandchild[0]}", headers={"ECI-ApiKey": root[1]})
    answer = get(http, f"/api/keyhalt/v1/keys/{root[0]}/tree", ECI_ApiKey=root[1])
    shown = answer.json()
    assert [each["apiKeyId"] for each in shown] == [root[0], child[0], grandchild[0]]
    assert [each["madeWith"] for each in shown] == [
        {"kind": "operator", "id": None},
        {"kind": "key", "id": root[0]},
        {"kind": "key", "id": child[0]},
    ]
    assert [each["deletedDate"] is None for each in shown] == [True, True, False]
    assert child[1] not in answer.text
    by_token = {"Authorization": f"Bearer {sign_in(http, 'jsmith').json()['token']}"}
    made = http.post("/api/v3/apiKey", json={"apiKeyName": "x"}, headers=by_token).json()
    own = get(http, f"/api/keyhalt/v1/keys/{made['apiKeyId']}/tree", ECI_ApiKey=root[1]).json()
    assert [each["madeWith"]["kind"] for each in own] == ["token"]


def test_trees_are_for_those_who_manage_keys_of_this_datasource(
    world: World, http: TestClient, root: Key
) -> None:
    """403 without the permission, 404 for what is not there or another tenant's."""
    _, viewer = world.key(world.user("viewer", "settings.view"))
    address = f"/api/keyhalt/v1/keys/{root[0]}/tree"
    answer = http.delete(address, headers={"ECI-ApiKey": viewer})
    assert_denied(answer, world, 403, "permission_denied", "permission_denied")
    assert get(http, "/api/keyhalt/v1/keys/99/tree", ECI_ApiKey=viewer).status_code == 404
    other = world.engine.set_up.datasource(OPERATOR, "other", ORIGIN)
    theirs = world.engine.look_up.key_tree(other.id, root[0])
    assert theirs.reason.value == "not_found"
    assert counts(http, root)


def test_keys_that_a_user_made_are_known_by_who_made_them_and_not_by_a_name(
    world: World, http: TestClient, judge: Key
) -> None:
    """Codes change, another user may get one that was given up, an operator may be called so."""
    since = world.engine.clock.now()
    service = world.user("robot", "orders.view", service=True)
    address = f"/api/keyhalt/v1/users/{service.user_id}/keys"
    maker = world.user("maker", "settings.*", "orders.*")
    answer = http.post(
        address, json={"apiKeyName": "x"}, headers={"ECI-ApiKey": world.key(maker)[1]}
    )
    made = answer.json()["apiKeyId"], answer.json()["apiKey"]
    rename = partial(world.engine.manage_users.edit, OPERATOR, world.datasource_id, origin=ORIGIN)
    rename("maker", edit=UserEdit(details={"code": "renamed"}))
    other = world.user("other", "orders.view")
    rename("other", edit=UserEdit(details={"code": "maker"}))
    by_operator = world.key(service)
    rename("renamed", edit=UserEdit(details={"code": OPERATOR.name}))
    end = partial(
        world.engine.delete_key.made_since,
        OPERATOR,
        datasource_id=world.datasource_id,
        since=since,
        origin=ORIGIN,
    )
    assert end(user_id=other.user_id).keys == ()
    end(user_id=maker.user_id)
    assert [counts(http, key) for key in (made, by_operator, judge)] == [False, True, True]


def test_keys_create_no_keys_where_the_datasource_denies_it(
    world: World, http: TestClient, root: Key
) -> None:
    """403 with a code of its own; a sign-in still may, and what exists goes on."""
    child = make(http, root)
    world.engine.set_up.set_policy(OPERATOR, "acme", ORIGIN, keys_create_keys=False)
    answer = http.post("/api/v3/apiKey", json={"apiKeyName": "x"}, headers={"ECI-ApiKey": child[1]})
    assert_denied(answer, world, 403, "key_cannot_create_keys", "key_cannot_create_keys")
    by_token = {"Authorization": f"Bearer {sign_in(http, 'jsmith').json()['token']}"}
    made = http.post("/api/v3/apiKey", json={"apiKeyName": "x"}, headers=by_token)
    assert made.status_code == 200
    assert counts(http, child)
    world.engine.set_up.set_policy(OPERATOR, "acme", ORIGIN, keys_create_keys=True)
    assert counts(http, make(http, child))


def test_keys_made_since_a_time_end_with_their_trees(
    world: World, http: TestClient, root: Key, judge: Key
) -> None:
    """Those that the user has or made, and what they made; nothing older, nobody else's."""
    since = world.engine.clock.now() + timedelta(microseconds=1)
    late = make(http, root)
    later = make(http, late)
    user = world.engine.look_up.user(world.datasource_id, "jsmith")
    address = f"/api/keyhalt/v1/users/{user.user_id}/end-keys"
    body = {"madeSince": since.isoformat()}
    answer = http.post(address, json=body, headers={"ECI-ApiKey": judge[1]})
    assert answer.json() == {"ended": [late[0], later[0]]}
    assert [counts(http, key) for key in (root, late, later, judge)] == [True, False, False, True]
    again = http.post(address, json=body, headers={"ECI-ApiKey": judge[1]})
    assert again.json() == {"ended": []}
    assert epoch_of(again) == epoch_of(answer)
    future = {"madeSince": "2999-01-01T00:00:00Z"}
    assert (
        "keyhalt-revocation"
        not in http.post(address, json=future, headers={"ECI-ApiKey": judge[1]}).headers
    )
    missing = address.replace(str(user.user_id), "99")
    assert http.post(missing, json=body, headers={"ECI-ApiKey": judge[1]}).status_code == 404
    assert (
        http.post(address, json={"madeSince": "soon"}, headers={"ECI-ApiKey": judge[1]}).json()[
            "field"
        ]
        == "madeSince"
    )


def test_a_parent_that_is_gone_makes_no_more(world: World, http: TestClient, root: Key) -> None:
    """What races with the end of a tree is either in it or refused: never left over."""
    end_tree(http, root, root)
    answer = http.post("/api/v3/apiKey", json={"apiKeyName": "x"}, headers={"ECI-ApiKey": root[1]})
    assert_denied(answer, world, 401, "invalid_key", "deleted_key", KEY_CHALLENGES)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(parents=st.lists(st.integers(0, 30), min_size=1, max_size=12), at=st.integers(0, 30))
def test_exactly_the_descendants_end(world: World, parents: list[int], at: int) -> None:
    """For any forest: what is reached from a key over `made with` ends, and nothing else."""
    if world.engine.look_up.user(world.datasource_id, "jsmith") is None:
        world.user("jsmith", "settings.*", "orders.*")
    user = world.engine.look_up.user(world.datasource_id, "jsmith")
    keys = [world.key(user)]
    up: dict[int, int] = {}
    with world.client(world.other()) as http:
        for number in parents:
            parent = keys[number % len(keys)]
            keys.append(make(http, parent))
            up[keys[-1][0]] = parent[0]
    top = keys[at % len(keys)][0]

    def below(key_id: int) -> bool:
        return key_id == top or (key_id in up and below(up[key_id]))

    ended = world.engine.delete_key.with_offspring(
        OPERATOR, datasource_id=world.datasource_id, key_id=top, origin=ORIGIN
    )
    assert {key.id for key in ended.keys} == {key_id for key_id, _ in keys if below(key_id)}
