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
    other.manage_users.set_password(
        OPERATOR, world.datasource_id, "jsmith", Secret(password), ORIGIN
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
