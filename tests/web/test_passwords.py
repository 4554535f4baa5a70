"""Passwords over the wire: choosing another one, the states of one, and who loses a race."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from keyhalt.core.secrets import Secret
from keyhalt.storage import schema
from keyhalt.storage.throttle import SqlThrottle
from keyhalt.storage.tokens import SqlTokens
from keyhalt.storage.transactions import transaction
from keyhalt.system.passwords import Argon2Passwords
from keyhalt.usecases.people import UserDraft, UserEdit
from tests.web.asking import (
    KEY_CHALLENGES,
    TOKEN_CHALLENGES,
    assert_denied,
    get,
    sign_in,
)
from tests.world import OPERATOR, ORIGIN, PASSWORD, World

NEW = "a quite different passphrase"


def change(http: TestClient, code: str, new: str = NEW, password: str = PASSWORD) -> Any:
    body = {"dataSource": "acme", "username": code, "password": password, "newPassword": new}
    return http.post("/api/keyhalt/v1/password", json=body)


def mark(world: World, code: str, **columns: object) -> None:
    """Set columns of a user's row."""
    row = schema.user.c.code == code
    with transaction(world.engine.stores.rights, write=True) as connection:
        connection.execute(update(schema.user).where(row).values(columns))


def reset(world: World, password: str = NEW) -> None:
    """The operator sets the password of `jsmith`, in another process."""
    other = world.other()
    user = other.look_up.user(world.datasource_id, "jsmith")
    other.reset_password(
        OPERATOR,
        datasource_id=world.datasource_id,
        user_id=user.user_id,
        password=Secret(password),
        must_change=False,
        origin=ORIGIN,
    )


def test_who_knows_the_old_password_chooses_a_new_one(world: World, http: TestClient) -> None:
    """Tokens of before end, keys do not; the change is in the audit log and has its epoch."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    token = sign_in(http, "jsmith").json()["token"]
    answer = change(http, "jsmith")
    assert answer.status_code == 200
    assert answer.content == b""
    assert "form=guarded" in answer.headers["keyhalt-revocation"]
    old = get(http, Authorization=f"Bearer {token}")
    assert_denied(old, world, 401, "invalid_token", "earlier_sign_in", TOKEN_CHALLENGES)
    assert get(http, ECI_ApiKey=key).status_code == 200
    assert sign_in(http, "jsmith").status_code == 401
    assert sign_in(http, "jsmith", NEW).status_code == 200
    row = next(event for event in world.events() if event.event.value == "user.set_password")
    assert (row.actor.name, row.object_type) == ("jsmith", "user")
    assert f"epoch={row.epoch}," in answer.headers["keyhalt-revocation"]


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ("too short", "15 to 128"),
        ("x" * 129, "15 to 128"),
        ("passwordpassword", "guessed"),
        ("jsmith jsmith jsmith", "guessed"),
        (PASSWORD, "old one"),
    ],
)
def test_a_new_password_must_be_one(world: World, http: TestClient, new: str, says: str) -> None:
    """400 in words, with nothing changed."""
    world.user("jsmith", "orders.view")
    answer = change(http, "jsmith", new)
    assert (answer.status_code, answer.json()["field"]) == (400, "newPassword")
    assert says in answer.json()["detail"]
    assert new not in answer.text
    assert sign_in(http, "jsmith").status_code == 200


def test_a_user_marked_strong_gets_the_rule_on_top(world: World, http: TestClient) -> None:
    """EnergyCAP's four kinds of characters, for those who are marked."""
    world.user("jsmith", "orders.view")
    mark(world, "jsmith", strong_password=True)
    assert "upper-case" in change(http, "jsmith").json()["detail"]
    assert change(http, "jsmith", "A quite different passphrase, 2!").status_code == 200


@pytest.mark.parametrize("code", ["jsmith", "nobody", "sleeper"])
def test_a_change_with_a_wrong_password_is_as_a_sign_in(
    world: World, http: TestClient, code: str
) -> None:
    """The same 401, the same limit: no way around it to guess, and nothing said of the policy."""
    world.user("jsmith", "orders.view")
    world.user("sleeper", "orders.view")
    world.deactivate("sleeper")
    answer = change(http, code, "short", "wrong")
    exact = {"nobody": "unknown_user"}.get(code, "wrong_password")
    assert_denied(answer, world, 401, "invalid_sign_in", exact, KEY_CHALLENGES)
    throttle, now = SqlThrottle(world.engine.stores.use), world.engine.clock.now()
    while throttle.admit(f"acme\n{code}", "testclient", now + timedelta(minutes=1)) <= 0:
        pass
    assert change(http, code, NEW, "wrong").status_code == 429
    assert sign_in(http, code, "wrong").status_code == 429


@pytest.mark.parametrize(
    ("columns", "exact"),
    [
        ({"force_password_change": True}, "must_change_password"),
        (
            {
                "password_expiration_interval": 30,
                "password_changed_at": datetime.now(UTC) - timedelta(days=31),  # noqa: TID251
            },
            "expired_password",
        ),
    ],
)
def test_a_password_that_must_be_changed_is_good_for_that_only(
    world: World, http: TestClient, columns: dict[str, object], exact: str
) -> None:
    """403 with a code of its own, told only to who has the right password; keys do not care."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    mark(world, "jsmith", **columns)
    wrong = sign_in(http, "jsmith", "wrong")
    assert_denied(wrong, world, 401, "invalid_sign_in", "wrong_password", KEY_CHALLENGES)
    answer = sign_in(http, "jsmith")
    assert_denied(answer, world, 403, "password_change_required", exact)
    assert "token" not in answer.json()
    assert get(http, ECI_ApiKey=key).status_code == 200
    assert change(http, "jsmith").status_code == 200
    assert sign_in(http, "jsmith", NEW).status_code == 200


def test_a_password_of_29_days_is_good_for_30(world: World, http: TestClient) -> None:
    """Not a day less; a user's first password counts from when the user was made."""
    world.user("jsmith", "orders.view")
    world.user("first", "orders.view")
    at = datetime.now(UTC) - timedelta(days=29)  # noqa: TID251
    mark(world, "jsmith", password_expiration_interval=30, password_changed_at=at)
    mark(world, "first", password_expiration_interval=1, password_changed_at=None)
    assert sign_in(http, "jsmith").status_code == 200
    assert sign_in(http, "first").status_code == 200


# ------------------------------------------------------------------ the same work


class Counted(Argon2Passwords):
    """Counts what is hashed."""

    def __init__(self) -> None:
        super().__init__(1)
        self.work = 0

    def hash(self, password: Secret) -> str:
        self.work += 1
        return super().hash(password)

    def matches(self, password_hash: str | None, password: Secret) -> bool:
        self.work += 1
        return super().matches(password_hash, password)


@pytest.mark.parametrize("ask", [sign_in, change])
def test_every_wrong_sign_in_is_the_same_work(world: World, ask: Callable[..., Any]) -> None:
    """One hash and one answer, whether the user, their password or their rest is the cause."""
    world.engine.passwords = counted = Counted()
    for code in ("jsmith", "sleeper", "machine"):
        world.user(code, "orders.view")
    world.deactivate("sleeper")
    mark(world, "machine", password_hash=None)
    seen = set()
    with world.client() as http:
        for code in ("jsmith", "sleeper", "machine", "nobody"):
            counted.work = 0
            answer = ask(http, code, password="wrong wrong wrong")
            body = answer.json() | {"requestId": ""}
            headers = {n: v for n, v in answer.headers.items() if n != "x-request-id"}
            seen.add((answer.status_code, str(body), str(sorted(headers.items())), counted.work))
    assert len(seen) == 1
    assert seen.pop()[3] == 1


# ------------------------------------------------------------------ races


class Between(Argon2Passwords):
    """Lets something happen between reading the hash and having compared it, or after that."""

    def __init__(self, *, before: Callable[[], None], after: Callable[[], None]) -> None:
        super().__init__(1)
        self.before, self.after = before, after

    def matches(self, password_hash: str | None, password: Secret) -> bool:
        self.before()
        found = super().matches(password_hash, password)
        self.after()
        return found


class LateTokens(SqlTokens):
    """Lets something happen just before a token is written."""

    def __init__(self, world: World, happens: Callable[[], None]) -> None:
        super().__init__(world.engine.stores.signins)
        self.happens = happens

    def add(self, digest: bytes, **rest: Any) -> int:
        self.happens()
        return super().add(digest, **rest)


def nothing() -> None:
    pass


def rest_and_wake(world: World) -> None:
    world.deactivate("jsmith")
    world.activate("jsmith")


RACES = {"deactivated": rest_and_wake, "another password": reset}


@pytest.fixture(params=sorted(RACES))
def happens(request: pytest.FixtureRequest, world: World) -> Iterator[Callable[[], None]]:
    yield lambda: RACES[request.param](world)


@pytest.mark.parametrize("moment", ["before the hash", "after the hash", "before the token"])
def test_a_sign_in_that_races_with_a_deactivation_or_a_change_loses(
    world: World, happens: Callable[[], None], moment: str
) -> None:
    """Wherever the other falls between, the token that comes of it never counts.

    The user is active again afterwards, so it is the generation alone that refuses it.
    """
    world.user("jsmith", "orders.view")
    world.engine.passwords = Between(
        before=happens if moment == "before the hash" else nothing,
        after=happens if moment == "after the hash" else nothing,
    )
    if moment == "before the token":
        world.engine.sign_in._tokens = LateTokens(world, happens)
    with world.client() as http:
        token = sign_in(http, "jsmith").json()["token"]
        answer = get(http, Authorization=f"Bearer {token}")
        assert_denied(answer, world, 401, "invalid_token", "earlier_sign_in", TOKEN_CHALLENGES)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_change_that_races_with_a_deactivation_or_a_reset_loses(
    world: World, happens: Callable[[], None], moment: str
) -> None:
    """What was proved with the old password is not written over what came between."""
    world.user("jsmith", "orders.view")
    world.engine.passwords = Between(**{"before": nothing, "after": nothing, moment: happens})
    with world.client() as http:
        answer = change(http, "jsmith", "the loser's own passphrase")
        assert_denied(answer, world, 401, "invalid_sign_in", "earlier_sign_in", KEY_CHALLENGES)
        world.engine.passwords.before = world.engine.passwords.after = nothing
        assert sign_in(http, "jsmith", "the loser's own passphrase").status_code == 401


# ------------------------------------------------------------------ of somebody else


def put_password(http: TestClient, key: str, user_id: int, **body: Any) -> Any:
    address = f"/api/keyhalt/v1/users/{user_id}/password"
    return http.put(address, json={"password": NEW, **body}, headers={"ECI-ApiKey": key})


def test_a_reset_ends_tokens_and_is_good_for_choosing_another_only(
    world: World, http: TestClient
) -> None:
    """And it says how many keys were made since the password of before, to be ended with it."""
    _, boss = world.key(world.user("boss", "*"))
    user = world.user("jsmith", "settings.*", "orders.view")
    _, key = world.key(user)
    token = {"Authorization": f"Bearer {sign_in(http, 'jsmith').json()['token']}"}
    made = http.post("/api/v3/apiKey", json={"apiKeyName": "x"}, headers=token).json()
    answer = put_password(http, boss, user.user_id)
    assert answer.status_code == 200
    assert answer.json()["keys"]["count"] == 2
    assert "form=" in answer.headers["keyhalt-revocation"]
    old = get(http, **token)
    assert_denied(old, world, 401, "invalid_token", "earlier_sign_in", TOKEN_CHALLENGES)
    assert sign_in(http, "jsmith").json()["code"] == "invalid_sign_in"
    assert sign_in(http, "jsmith", NEW).json()["code"] == "password_change_required"
    assert get(http, ECI_ApiKey=key).status_code == 200
    ended = http.post(
        f"/api/keyhalt/v1/users/{user.user_id}/end-keys",
        json={"madeSince": answer.json()["keys"]["madeSince"]},
        headers={"ECI-ApiKey": boss},
    )
    assert made["apiKeyId"] in ended.json()["ended"]
    assert get(http, ECI_ApiKey=key).status_code == 401
    again = put_password(http, boss, user.user_id, forcePasswordChange=False)
    assert again.json()["keys"]["count"] == 0
    assert sign_in(http, "jsmith", NEW).status_code == 200


def test_nobody_takes_over_who_has_more(world: World, http: TestClient) -> None:
    """A reset would be a way to sign in as them: 403, and 400 for one's own."""
    little = world.user("little", "settings.*")
    _, key = world.key(little)
    more = world.user("more", "settings.*", "orders.view")
    wide = world.user("wide", "settings.view", top=1)
    narrow = world.user("narrow", "settings.*", top=2)
    _, low = world.key(narrow)
    for by, whom in ((key, more), (low, wide)):
        answer = put_password(http, by, whom.user_id)
        assert_denied(answer, world, 403, "beyond_own_rights", "beyond_own_rights")
    own = put_password(http, key, little.user_id)
    assert (own.status_code, own.json()["code"]) == (400, "invalid_state")
    assert put_password(http, key, narrow.user_id).status_code == 200
    _, viewer = world.key(world.user("viewer", "settings.view"))
    assert put_password(http, viewer, narrow.user_id).status_code == 403
    assert put_password(http, key, 99).status_code == 404
    for code in ("more", "wide", "little"):
        assert sign_in(http, code).status_code == 200


def test_every_way_to_set_a_password_has_the_policy_of_the_datasource(
    world: World, http: TestClient
) -> None:
    """By the user, by somebody else, in an edit, and when a user is made."""
    _, boss = world.key(world.user("boss", "*"))
    user = world.user("jsmith", "orders.view")
    world.engine.set_up.set_policy(OPERATOR, "acme", ORIGIN, password_length_min=40)
    assert "40 to 128" in put_password(http, boss, user.user_id).json()["detail"]
    assert "40 to 128" in change(http, "jsmith").json()["detail"]
    users = world.engine.manage_users
    edit = UserEdit(password=Secret(NEW))
    refused = users.edit(OPERATOR, world.datasource_id, "jsmith", edit, ORIGIN)
    assert "40 to 128" in refused.detail
    draft = UserDraft("new", "New", "", "Clerk", Secret(NEW), {})
    refused = users.create(OPERATOR, world.datasource_id, draft, ORIGIN)
    assert "40 to 128" in refused.detail
    long = "a quite different passphrase of many words"
    assert change(http, "jsmith", long).status_code == 200
    assert put_password(http, boss, user.user_id, password=long).status_code == 200
